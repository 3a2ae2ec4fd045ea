"""The contract of a view: a map from images to a tuple of M views.

All views of an image can come from one crop, or each from a crop of its own. The second is the
default, as the authors appear to have done: what two crops do not share is one more thing that the
views need not share either.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from infomin.core.errors import InputError, one_of
from infomin.core.shapes import Image, Images, Views
from infomin.core.value_range import UNIT, parse_range

CROPS = ("per_view", "shared")


class View(nn.Module):
    """Maps images `b c h w` to M views `b c_i h w`. Members define `split`.

    Arguments:
        view_channels: number of channels of each view.
        crops: `per_view` (one crop of the image for each view) or `shared` (one for all).
        value_range: lowest and highest value of the images.
        channels: C of the images; by default every channel goes into one view.
        sources: channels of the images that each view is made of; by default all.

    Raises:
        InputError: for another word in `crops`, or a range that is none.

    Attributes:
        in_color: whether the channels of every view are those of the images, scaled to [-1, 1].
    """

    in_color = False

    def __init__(
        self,
        view_channels: tuple[int, ...],
        crops: str = "per_view",
        value_range: Sequence[float] = UNIT,
        channels: int | None = None,
        sources: Sequence[Sequence[int]] | None = None,
    ) -> None:
        super().__init__()
        one_of("views.crops", crops, CROPS)
        self.view_channels, self.value_range = view_channels, parse_range(value_range)
        self.channels = sum(view_channels) if channels is None else channels
        every = (tuple(range(self.channels)),) * len(view_channels)
        self.sources = every if sources is None else tuple(map(tuple, sources))
        self.crops = 1 if crops == "shared" else len(view_channels)

    def sample(self, n: int, generator: torch.Generator) -> Any:
        """Draw what training leaves to chance in a batch of n: nothing, or what has `.part`."""
        return None

    def fits(self, height: int, width: int) -> None:
        """Make sure that crops of this height and width are large enough; by default all are."""

    def forward(self, *crops: Image, drawn: Any = None) -> Views:
        """Return M views, of one crop or of M crops, view i from crop i.

        Arguments:
            crops: the images.
            drawn: by `sample`; None takes the views as evaluation sees them.

        Raises:
            InputError: for another number of crops.
        """
        if len(crops) == 1:
            return self.split(crops[0])
        if len(crops) != len(self.view_channels):
            raise InputError(
                f"crops: expected 1 or {len(self.view_channels)}, one a view, got {len(crops)}"
            )
        return tuple(self.one(crop, i) for i, crop in enumerate(crops))

    def unit(self, x: Images) -> Images:
        """Return images scaled from their value range to [0, 1]."""
        low, high = self.value_range
        return x if self.value_range == UNIT else (x - low) / (high - low)

    def one(self, x: Images, i: int) -> Image:
        """Return view i of a crop; members that can make it alone, cheaper, say how."""
        return self.split(x)[i]

    def split(self, x: Images) -> Views:
        """Return all views of one crop."""
        raise NotImplementedError
