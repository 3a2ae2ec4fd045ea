"""What all transforms share: images of any type go in, output channels of g come out."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from infomin import units
from infomin.errors import InputError, one_of
from infomin.generator import ViewGenerator, load_generator
from infomin.groups import split
from infomin.shapes import Images, Views
from infomin.table import ColorTable

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

    raw: Tensor

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
        raw = [c for i, group in enumerate(generator.groups) if i not in chosen for c in group]
        self.register_buffer("raw", torch.tensor(raw, dtype=torch.long), persistent=False)
        one_of("table", table, (True, False, "auto"))
        self.wanted = table
        self.table = self._table()

    @torch.no_grad()
    def forward(self, x: Tensor, apply: bool = True) -> Images:
        """Return all output channels, `b c h w`, float32, of images `b c h w`.

        Arguments:
            x: uint8, 0..255, where the value range is [0, 1]; otherwise values within that range.
            apply: false for raw channels alone: the space that g starts from.

        Raises:
            InputError: for a type, number of channels or range that g was not learned on.
        """
        if self.table is not None and apply and x.dtype == torch.uint8 and x.shape[1:2] == (3,):
            y = self.table(x)
        else:
            x = self.scaled(x)
            y = self.generator.transform(x) if apply else self.generator.raw(x)
        if apply and len(self.raw):
            y[:, self.raw] = self.generator.raw(self.scaled(x))[:, self.raw]
        return y

    def scaled(self, x: Tensor) -> Tensor:
        """Return images as float32 in the units of the generator.

        Raises:
            InputError: for a type that the value range says nothing of.
        """
        if x.is_floating_point():
            return x.float()
        unit = self.generator.value_range == units.UNIT
        if x.dtype not in ((torch.uint8,) if unit else _INTEGERS):
            low, high = self.generator.value_range
            takes = "float images within [0, 1] and uint8 ones" if unit else f"{low:g}..{high:g}"
            raise InputError(
                f"images: this generator takes {takes}, got {str(x.dtype).removeprefix('torch.')}"
                + ("; divide them by the value that stands for 1" if unit else "")
            )
        return x.float() / 255 if unit else x.float()

    def split(self, y: Images) -> Views:
        """Take the output channels apart into views."""
        return split(y, self.generator.groups)

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
