"""What a page shows of each channel, measured on pixels spread over the sample; g is pixel-wise."""

from dataclasses import dataclass
from itertools import islice

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from infomin.core.channel_groups import view_names
from infomin.core.page.text import cut, span
from infomin.export.sample import Sample
from infomin.generator import Check, ViewGenerator

_PIXELS = 2**18
SHOWN = 16
"""Channels of the images, and of the views, that a page shows at most."""


@dataclass(frozen=True)
class Channel:
    """A channel of images or views, and how it is drawn.

    Attributes:
        name: what a reader calls it.
        output: its place among the output channels of g, or among those of the images.
        values: on the pixels, in the units of the channel.
        black, white: the values drawn so: the 1st and the 99th percentile.
    """

    name: str
    output: int
    values: Float[Tensor, " n"]
    black: float
    white: float

    @classmethod
    def of(cls, name: str, output: int, values: Float[Tensor, " n"]) -> "Channel":
        """Find out black and white."""
        black, white = values.quantile(values.new_tensor([0.01, 0.99])).tolist()
        return cls(name, output, values, black, max(white, black + 1e-6))

    @property
    def scale(self) -> str:
        """Black and white as a reader needs them."""
        return span(self.black, self.white)

    def grey(self, values: Tensor) -> Tensor:
        """Return 0 for black, 1 for white."""
        return ((values - self.black) / (self.white - self.black)).clamp(0, 1)


@dataclass(frozen=True)
class Found:
    """What was found on the sample.

    Attributes:
        raw, views: the first channels of the images, and those of the views in their order.
        check: what g does to the pixels.
        pixels: those that all this was measured on.
    """

    raw: list[Channel]
    views: list[Channel]
    check: Check
    pixels: Float[Tensor, "1 c 1 n"]


def measure(generator: ViewGenerator, sample: Sample) -> Found:
    """Measure a generator on at most a quarter of a million pixels of the sample."""
    x = rearrange(sample.images, "b c h w -> c (b h w)")
    y = rearrange(torch.cat(list(sample.views), 1), "b c h w -> c (b h w)")
    chosen = torch.linspace(0, x.shape[1] - 1, min(_PIXELS, x.shape[1]), dtype=torch.float64).long()
    x, y = x[:, chosen], y[:, chosen]
    names = zip(generator.channel_names, x, strict=True)
    outputs = [i for group in generator.groups for i in group]
    views = zip(view_names(generator.view_channels), outputs, y, strict=True)
    pixels = rearrange(x, "c n -> 1 c 1 n")
    return Found(
        raw=[
            Channel.of(cut(name, 24), i, values)
            for i, (name, values) in islice(enumerate(names), SHOWN)
        ],
        views=[Channel.of(name, i, values) for name, i, values in islice(views, SHOWN)],
        check=generator.check(pixels),
        pixels=pixels,
    )
