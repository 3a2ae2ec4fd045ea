"""The views of images of any number type, for all transforms, and as a function of NumPy arrays."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from infomin.core.channel_groups import split
from infomin.core.errors import InputError, one_of
from infomin.core.pixels import to_tensor
from infomin.core.shapes import Pixels, Views
from infomin.generator import ViewGenerator, load_generator
from infomin.views.color_table import ColorTable


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

    def forward(self, x: Tensor, apply: bool = True) -> tuple[Tensor, ...]:
        """Return the views, `... c_i h w`, float32; gradients pass.

        Arguments:
            x: images `... c h w` of any type of `core.pixels`, within the value range.
            apply: whether to apply g; otherwise all views are raw channels.

        Raises:
            InputError: for another number type, number of channels or range than those of g.
        """
        if x.ndim < 4:
            return tuple(view[0] for view in self._views(x[None], apply))
        views = self._views(x.flatten(0, -4), apply)
        return tuple(view.unflatten(0, x.shape[:-3]) for view in views)

    def _views(self, x: Pixels, apply: bool) -> Views:
        """Return the views of a batch of images, each by g or raw."""
        use = self.learned if apply else [False] * len(self.learned)
        learned: Views = ()
        if any(use) and self.table is not None and x.dtype == torch.uint8 and x.shape[1:2] == (3,):
            learned = self.table(x)
        elif any(use):
            learned = self.generator(x)
        if all(use):
            return learned
        raw = split(self.generator.raw(x), self.generator.groups)
        return tuple(learned[i] if use[i] else view for i, view in enumerate(raw))

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
    """Map images `... h w c` to a tuple of views, `... h w c_i`, float32.

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
            images: one image, a batch or a video; of any type of `core.pixels`, any byte order and
                any strides, within the value range of g.

        Raises:
            InputError: for images with other channels or another range than those of g, or a mask
                that hides some of their pixels.
        """
        if not isinstance(images, np.ndarray) or images.ndim < 3:
            got = images.shape if isinstance(images, np.ndarray) else type(images).__name__
            raise InputError(f"images: expected an array, h w c or n h w c, got {got}")
        x = to_tensor(images, "images")
        return tuple(view.movedim(-3, -1).numpy() for view in self.views(x.movedim(-1, -3)))
