"""Statistics of each channel for the page, on pixels spread over the sample."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from infomin.core.channel_groups import view_names
from infomin.core.page.text import cut, range_text
from infomin.export.sample import Sample
from infomin.generator import Check, ViewGenerator

_MAX_PIXELS = 2**18
_MAX_CHANNELS = 16  # of the images, and of the views


@dataclass(frozen=True)
class Channel:
    """One channel of the images or of the views.

    Attributes:
        name: as the page shows it.
        index: among the output channels of g, or among the image channels.
        values: on the pixels, in the units of the channel.
        black, white: values that are drawn black and white: the 1st and the 99th percentile.
    """

    name: str
    index: int
    values: Float[Tensor, " n"]
    black: float
    white: float

    @classmethod
    def of(cls, name: str, index: int, values: Float[Tensor, " n"]) -> "Channel":
        """Compute black and white."""
        black, white = values.quantile(values.new_tensor([0.01, 0.99])).tolist()
        return cls(name, index, values, black, max(white, black + 1e-6))

    @property
    def scale(self) -> str:
        """Black and white, in words."""
        return range_text(self.black, self.white)

    def grey(self, values: Tensor) -> Tensor:
        """Return grey levels in [0, 1], 0 for black."""
        return ((values - self.black) / (self.white - self.black)).clamp(0, 1)


class Measured(NamedTuple):
    """Measurements of a generator on a sample.

    Attributes:
        raw, views: the first 16 channels of the images, and of the views in their order.
        check: of the pixels.
        pixels: all measurements are on these.
    """

    raw: list[Channel]
    views: list[Channel]
    check: Check
    pixels: Float[Tensor, "1 c 1 n"]


def measure(generator: ViewGenerator, sample: Sample) -> Measured:
    """Measure a generator on at most a quarter of a million pixels of the sample."""
    x = rearrange(sample.images, "b c h w -> c (b h w)")
    y = rearrange(torch.cat(list(sample.views), 1), "b c h w -> c (b h w)")
    count = min(_MAX_PIXELS, x.shape[1])
    index = torch.linspace(0, x.shape[1] - 1, count, dtype=torch.float64).long()
    x, y = x[:, index], y[:, index]
    pixels = rearrange(x, "c n -> 1 c 1 n")
    names = [cut(name, 24) for name in generator.channel_names]
    outputs = [i for group in generator.groups for i in group]
    return Measured(
        raw=_channels(names, range(len(names)), x),
        views=_channels(view_names(generator.view_channels), outputs, y),
        check=generator.check(pixels),
        pixels=pixels,
    )


def _channels(
    names: Sequence[str], indices: Sequence[int], values: Float[Tensor, "c n"]
) -> list[Channel]:
    channels = list(zip(names, indices, values, strict=True))
    return [Channel.of(*channel) for channel in channels[:_MAX_CHANNELS]]
