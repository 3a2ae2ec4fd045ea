"""What all transforms share: images of any type go in, the views of g come out."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from infomin.core.channel_groups import split
from infomin.core.errors import InputError, one_of
from infomin.core.shapes import Views
from infomin.core.value_range import UNIT
from infomin.generator import ViewGenerator, load_generator
from infomin.views.color_table import ColorTable

_INTEGERS = (torch.uint8, torch.uint16, torch.int16, torch.int32)


class Pixels(nn.Module):
    """A frozen generator on images of whatever type.

    8-bit images of a 3-channel generator are looked up in its table of all colours, built once in
    seconds, kept in the user's cache and mapped by all processes (`table.ColorTable.cached`).

    Arguments:
        generator: its folder, or one that is loaded already.
        learned: the views that g makes, `all` or their numbers from 0; others are raw channels.
        table: whether to look up: true, false, or auto for wherever it can be.

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
            generator = deepcopy(generator)  # it may be in training, and go on with it
        else:
            generator = load_generator(generator)
        numbers = range(len(generator.groups))
        chosen = [*numbers] if learned == "all" else [*learned]
        if not all(i in numbers for i in chosen):
            raise InputError(f"learned: expected all, or views among {[*numbers]}, got {learned!r}")
        self.generator = generator.eval().requires_grad_(False)
        self.learned = [i in chosen for i in numbers]
        one_of("table", table, (True, False, "auto"))
        self.wanted = table
        self.table = self._table()

    @torch.no_grad()
    def forward(self, x: Tensor, apply: bool = True) -> Views:
        """Return the views, `b c_i h w`, float32, of images `b c h w`.

        Arguments:
            x: uint8, 0..255, where the value range is [0, 1]; otherwise values within that range.
            apply: false for raw views alone: the channels of the space that g starts from.

        Raises:
            InputError: for a type, number of channels or range that g was not learned on.
        """
        made = self.made(x) if apply and any(self.learned) else None
        if made is not None and all(self.learned):
            return made
        raw = split(self.generator.raw(self.scaled(x)), self.generator.groups)
        if made is None:
            return raw
        triples = zip(self.learned, made, raw, strict=True)
        return tuple(a if learned else b for learned, a, b in triples)

    def made(self, x: Tensor) -> Views:
        """Return all views as g makes them, looked up or computed."""
        if self.table is not None and x.dtype == torch.uint8 and x.shape[1:2] == (3,):
            views: Views = self.table(x)
        else:
            views = self.generator(self.scaled(x))
        return views

    def scaled(self, x: Tensor) -> Tensor:
        """Return images as float32 in the units of the generator.

        Raises:
            InputError: for a type that the value range says nothing of.
        """
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
        """Leave the table out: whoever unpickles this, a worker say, maps it again."""
        state: dict[str, Any] = super().__getstate__()  # type: ignore[no-untyped-call]
        state["_modules"] = {**state["_modules"], "table": None}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Map the table again."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self.table = self._table()

    def _table(self) -> ColorTable | None:
        if self.wanted is False or (
            self.wanted == "auto" and not self.generator.takes_8_bit_colors
        ):
            return None
        try:
            return ColorTable.cached(self.generator)
        except InputError:
            if self.wanted is True:
                raise
            return None  # no place to keep it: compute
