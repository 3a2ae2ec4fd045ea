"""The views of images of any number type, for all transforms, and as a function of NumPy arrays."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn

from infomin.core.channel_groups import split
from infomin.core.errors import InputError, one_of
from infomin.core.shapes import Views
from infomin.core.value_range import UNIT
from infomin.generator import ViewGenerator, load_generator
from infomin.views.color_table import ColorTable

_INTEGERS = (torch.uint8, torch.uint16, torch.int16, torch.int32)


class ViewTransform(nn.Module):
    """A frozen generator for float and integer images.

    8-bit images of a 3-channel generator are looked up in the table of all colours. It is built
    once in seconds, stored in the user's cache and mapped by all processes (`ColorTable.cached`).

    Arguments:
        generator: its folder, a name of `infomin.list_generators`, or a loaded generator.
        learned: `all`, or the indices of learned views from 0; the others are raw channels.
        table: whether to look up: true, false, or auto for when it is possible.

    Raises:
        InputError: for a folder that is no generator, or a view that it does not have.
    """

    def __init__(
        self,
        generator: str | Path | ViewGenerator,
        learned: str | Sequence[int] = "all",
        table: bool | str = "auto",
    ) -> None:
        super().__init__()
        if isinstance(generator, ViewGenerator):
            generator = deepcopy(generator)  # the caller can continue to train it
        else:
            generator = load_generator(generator)
        indices = range(len(generator.groups))
        chosen = [*indices] if learned == "all" else [*learned]
        if not {*chosen} <= {*indices}:
            raise InputError(f"learned: expected all, or views among {[*indices]}, got {learned!r}")
        self.generator = generator.eval().requires_grad_(False)
        self.learned = [i in chosen for i in indices]
        one_of("table", table, (True, False, "auto"))
        self.table_option = table
        self.table = self._open_table()

    @torch.no_grad()
    def forward(self, x: Tensor, apply: bool = True) -> Views:
        """Return the views, `b c_i h w`, float32.

        Arguments:
            x: images `b c h w`, float or integers within the value range; uint8 in 0..255 for the
                range [0, 1].
            apply: whether to apply g; otherwise all views are raw channels.

        Raises:
            InputError: for another number type, number of channels or range than those of g.
        """
        use = self.learned if apply else [False] * len(self.learned)
        learned: Views = ()
        if any(use) and self.table is not None and x.dtype == torch.uint8 and x.shape[1:2] == (3,):
            learned = self.table(x)
        elif any(use):
            learned = self.generator(self._to_float(x))
        if all(use):
            return learned
        raw = split(self.generator.raw(self._to_float(x)), self.generator.groups)
        return tuple(learned[i] if use[i] else view for i, view in enumerate(raw))

    def _to_float(self, x: Tensor) -> Tensor:
        """Return images as float32 within the value range of the generator."""
        if x.is_floating_point():
            return x.float()
        unit = self.generator.value_range == UNIT
        if x.dtype not in ((torch.uint8,) if unit else _INTEGERS):
            low, high = self.generator.value_range
            takes = "float images within [0, 1] and uint8 ones" if unit else f"{low:g}..{high:g}"
            raise InputError(
                f"images: this generator takes {takes}, got {str(x.dtype).removeprefix('torch.')}"
                + ("; divide them by the value that stands for 1" if unit else "")
            )
        return x.float() / 255 if unit else x.float()

    def __getstate__(self) -> dict[str, Any]:
        """Leave the table out of pickles; a worker maps it again."""
        state: dict[str, Any] = super().__getstate__()  # type: ignore[no-untyped-call]
        state["_modules"] = {**state["_modules"], "table": None}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Map the table again."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self.table = self._open_table()

    def _open_table(self) -> ColorTable | None:
        possible = self.table_option == "auto" and self.generator.takes_8_bit_colors
        if not (self.table_option is True or possible):
            return None
        try:
            return ColorTable.cached(self.generator)
        except InputError:
            if self.table_option is True:
                raise
            return None  # the cache cannot be written: compute


class NumpyViews:
    """Map images `h w c` or `n h w c` to a tuple of views, `h w c_i` or `n h w c_i`, float32.

    Arguments:
        generator, learned, table: as in `ViewTransform`.
    """

    def __init__(
        self,
        generator: str | Path | ViewGenerator,
        learned: str | Sequence[int] = "all",
        table: bool | str = "auto",
    ) -> None:
        self.views = ViewTransform(generator, learned, table)

    def __call__(self, images: Any) -> tuple[np.ndarray, ...]:
        """Return the views of images.

        Arguments:
            images: float or integers within the value range of g; uint8 for the range [0, 1].

        Raises:
            InputError: for images with other channels or another range than those of g.
        """
        if not isinstance(images, np.ndarray) or images.ndim not in (3, 4):
            got = images.shape if isinstance(images, np.ndarray) else type(images).__name__
            raise InputError(f"images: expected an array, h w c or n h w c, got {got}")
        if images.dtype.kind not in "buif":
            raise InputError(f"images: expected an array of numbers, got {images.dtype}")
        # torch takes its own byte order only, and warns about read-only arrays, as PIL makes them
        x = torch.from_numpy(np.require(images, images.dtype.newbyteorder("="), ["C", "W"]))
        views = self.views(rearrange(x if x.ndim == 4 else x[None], "n h w c -> n c h w"))
        arrays = tuple(rearrange(v, "n c h w -> n h w c").numpy() for v in views)
        return arrays if x.ndim == 4 else tuple(v[0] for v in arrays)
