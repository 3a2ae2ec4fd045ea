"""Whole images: every view has all channels, and views differ by their crops and colour jitter.

That is two-view training as SimCLR's (arXiv:2002.05709), with an encoder for each view:
augmentation alone, against which splits of channels are held.
"""

from collections.abc import Sequence
from typing import Any

import torch

from infomin.color import convert
from infomin.core.errors import at_least
from infomin.core.shapes import Image, Images, Views
from infomin.core.value_range import UNIT
from infomin.views.base import View, register_view


@register_view("whole")
class WholeViews(View):
    """M views with all channels each, of any colour space.

    Arguments:
        channels: C of the images.
        color: any space of `infomin.color`; `rgb` leaves channels as they are.
        number: M >= 2.
        crops: see `View`; with `shared` all views are the same.
        value_range: lowest and highest value of the images.

    Raises:
        InputError: for fewer than two views, or a colour space that is unknown or needs another
            number of channels.
    """

    pixelwise = True

    def __init__(
        self,
        channels: int = 3,
        color: str = "rgb",
        number: int = 2,
        crops: str = "per_view",
        value_range: Sequence[float] = UNIT,
    ) -> None:
        at_least("views.number", number, 2)
        super().__init__((channels,) * number, crops, value_range, channels)
        self.color = color
        self.one(torch.zeros(1, channels, 1, 1), 0)  # a wrong colour space shows at once

    def to_config(self) -> dict[str, Any]:
        """Return the arguments of the class."""
        return {**super().to_config(), "color": self.color, "number": len(self.view_channels)}

    def split(self, x: Images) -> Views:
        """Return all views of one crop: the same."""
        return (self.one(x, 0),) * len(self.view_channels)

    def one(self, x: Images, i: int) -> Image:
        """Return a view, each channel scaled from its range to [-1, 1]."""
        rgb = self.unit(x)
        return 2 * rgb - 1 if self.color == "rgb" else convert(rgb, self.color, normalize=True)

    def __str__(self) -> str:
        """Return a short name for runs and tables."""
        return f"whole-{self.color}"
