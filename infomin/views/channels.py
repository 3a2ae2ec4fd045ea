"""The channels of a colour space: split into views as in CMC ({L | ab}, {Y | DbDr}), or whole."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from infomin.core.channel_groups import partition, split
from infomin.core.errors import at_least
from infomin.core.shapes import Image, Images, Views
from infomin.core.value_range import UNIT, color_name, parse_channel_names
from infomin.views.base import ImageInfo, View, register_view


@register_view("raw")
class ChannelViews(View):
    """Splits the channels of any colour space, linear or not, into views.

    Arguments:
        channels: C of the images.
        color: any space of `infomin.color`; `rgb` leaves channels as they are.
        groups: a partition of 0..C-1; default {0 | rest}.
        crops: see `View`.
        value_range: lowest and highest value of the images.

    Raises:
        InputError: for a colour space that is unknown or needs another number of channels.
    """

    pixelwise = True

    def __init__(
        self,
        channels: int = 3,
        color: str = "rgb",
        groups: Sequence[Sequence[int]] | None = None,
        crops: str = "per_view",
        value_range: Sequence[float] = UNIT,
    ) -> None:
        self.groups = partition(groups, channels)
        counts = tuple(len(group) for group in self.groups)
        mixed = color != "rgb"
        super().__init__(counts, crops, value_range, channels, None if mixed else self.groups)
        self.color = color
        self.split(torch.zeros(1, channels, 1, 1))  # a wrong colour space shows at once

    @classmethod
    def from_options(cls, options: Mapping[str, Any], images: ImageInfo) -> View:
        """Build raw views; the groups are those of the sensors by default."""
        groups = options.get("groups") or images.groups or None
        return super().from_options({**options, "groups": groups}, images)

    def to_config(self) -> dict[str, Any]:
        """Return the arguments of the class."""
        groups = [list(group) for group in self.groups]
        return {**super().to_config(), "color": self.color, "groups": groups}

    def split(self, x: Images) -> Views:
        """Return all views of one crop, each channel scaled from its range to [-1, 1]."""
        return split(self.normalized(x, self.color), self.groups)

    def __str__(self) -> str:
        """Return a short name for runs and tables."""
        return f"raw-{color_name(self.color, parse_channel_names(None, self.channels))}"


@register_view("whole")
class WholeViews(View):
    """M views with all channels each, of any colour space; they differ by crops and colour jitter.

    That is two-view training as SimCLR's (arXiv:2002.05709), with an encoder for each view.

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
        return self.normalized(x, self.color)

    def __str__(self) -> str:
        """Return a short name for runs and tables."""
        return f"whole-{color_name(self.color, parse_channel_names(None, self.channels))}"
