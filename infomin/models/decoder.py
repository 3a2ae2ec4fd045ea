"""The decoder: from feature maps of encoders back to rows and columns, such as pixels.

It has a 3x3 convolution at every resolution of a backbone, coarsest first. Each result is upsampled
to the next finer resolution. A 1x1 convolution at the finest one follows. Segmentation reads a map
at every resolution, as a U-Net does. Prediction reads the coarsest alone, because finer maps would
bypass the layers that are to learn.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from infomin.core.shapes import Views
from infomin.models.encoders import Encoders


class Decoder(nn.Module):
    """From feature maps to an output of the finest resolution.

    Arguments:
        channels: of the map that is read at each resolution, finest first; 0 reads none, except
            at the coarsest.
        widths: of the layer at each resolution.
        outputs: channels of the output.
    """

    def __init__(self, channels: Sequence[int], widths: Sequence[int], outputs: int) -> None:
        super().__init__()
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

    def forward(
        self, maps: Sequence[Tensor], sizes: Sequence[Sequence[int]]
    ) -> Float[Tensor, "b k h w"]:
        """Return the output at the first of the sizes.

        Arguments:
            maps: those that are read, finest first.
            sizes: rows and columns of every resolution, finest first.
        """
        left = list(maps)
        x: Tensor = self.layers[-1](left.pop())
        for i in range(len(self.layers) - 2, -1, -1):
            x = F.interpolate(x, [*sizes[i]], mode="bilinear")
            x = self.layers[i](torch.cat([x, left.pop()], 1) if self.read[i] else x)
        return self.head(x)


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
