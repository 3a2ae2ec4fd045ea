"""The decoder: from feature maps of encoders back to rows and columns of something, such as pixels.

A 3x3 convolution at every resolution that a backbone comes down to, coarsest first, each result
enlarged to the next finer one; a 1x1 convolution at the finest. Segmentation reads a map at every
resolution, as a U-Net does. Prediction reads the coarsest alone: with finer ones beside it, most of
a view could be told past the layers that are to learn.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from infomin.core.errors import InputError
from infomin.core.shapes import Views
from infomin.models.encoders import Encoders

Size = Sequence[int]
"""Rows and columns."""


class Decoder(nn.Module):
    """From feature maps to something of the finest resolution.

    Arguments:
        channels: of the map that is read at each resolution, finest first; 0 where none is. The
            coarsest is read.
        widths: of the layer at each resolution.
        outputs: channels of what comes out.

    Raises:
        InputError: for another number of widths than channels, or a coarsest map without channels.
    """

    def __init__(self, channels: Sequence[int], widths: Sequence[int], outputs: int) -> None:
        super().__init__()
        if len(widths) != len(channels) or not channels or channels[-1] < 1:
            raise InputError(
                "decoder: expected a width and the channels of a map at each resolution, of the "
                f"coarsest at least 1, got widths {[*widths]} for channels {[*channels]}"
            )
        self.read = [bool(c) for c in channels]
        inputs = [c + below for c, below in zip(channels, [*widths[1:], 0], strict=True)]
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(n, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
            )
            for n, width in zip(inputs, widths, strict=True)
        )
        self.head = nn.Conv2d(widths[0], outputs, 1)
        self.to(memory_format=torch.channels_last)  # as the maps of a backbone are

    def forward(self, maps: Sequence[Tensor], sizes: Sequence[Size]) -> Float[Tensor, "b k h w"]:
        """Return what the maps tell, at the first of the sizes.

        Arguments:
            maps: those that are read, finest first.
            sizes: of every resolution, finest first.
        """
        left = list(maps)
        x: Tensor = self.layers[-1](left.pop())
        for i in range(len(self.layers) - 2, -1, -1):
            x = F.interpolate(x, [*sizes[i]], mode="bilinear")
            x = self.layers[i](torch.cat([x, left.pop()], 1) if self.read[i] else x)
        out: Tensor = self.head(x)
        return out


def levels(encoders: Encoders, views: Views) -> tuple[str, ...]:
    """Return the last tap of each resolution that views come down to, finest first.

    Stages without weights, such as a mean over all places, are left out.
    """
    backbone = encoders.backbones[0]
    taps = [tap for tap in backbone.dense_taps if [*backbone.stages[tap].parameters()]]
    last = {
        tuple(m.shape[2:]): tap for m, tap in zip(encoders.maps(views, taps), taps, strict=True)
    }
    return tuple(last.values())
