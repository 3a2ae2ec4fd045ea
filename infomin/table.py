"""A frozen 3-channel generator on 8-bit images, as the exact table of all 2^24 colours.

g is pixel-wise, so on uint8 pixels it *is* a table: one look-up a pixel gives the very numbers of
the flow. Learn with the flow, apply with the table.
"""

from collections.abc import Sequence

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from infomin import units
from infomin.errors import InputError
from infomin.generator import ViewGenerator
from infomin.shapes import Image


class ColorTable(nn.Module):
    """g(x) of every colour with 8 bits a channel; 200 MB in float32, built in seconds.

    Arguments:
        generator: with 3 channels and value range (0, 1).

    Raises:
        InputError: for another number of channels or range.
    """

    colors: Tensor

    def __init__(self, generator: ViewGenerator) -> None:
        super().__init__()
        if generator.channels != 3 or generator.value_range != units.UNIT:
            raise InputError(
                "table: expected a generator of 3 channels in [0, 1], got "
                f"{generator.channels} in {list(generator.value_range)}; set views.table=false"
            )
        level = torch.arange(256, device=next(generator.buffers()).device) / 255
        green, blue = torch.meshgrid(level, level, indexing="ij")
        with torch.no_grad():
            planes = [
                generator.transform(torch.stack([red.expand_as(green), green, blue])[None])
                for red in level
            ]
        colors = rearrange(torch.cat(planes), "r c g b -> c (r g b)").contiguous()
        self.register_buffer("colors", colors, persistent=False)

    def forward(self, x: Float[Tensor, "b 3 h w"], channels: Sequence[int] = (0, 1, 2)) -> Image:
        """Return g of images in [0, 1], rounded to 8 bits first, as image libraries do.

        Arguments:
            x: the images.
            channels: which output channels are wanted.

        Raises:
            InputError: for values outside [0, 1]; what `units.within` tolerates rounds to it.
        """
        units.within(x, units.UNIT, "a table of colours")
        level = x.float().mul(255).round_().unbind(1)
        index = (level[0] * 2**16).add_(level[1], alpha=2**8).add_(level[2])  # float32 is exact
        index = index.int().flatten()
        found = [self.colors[c].index_select(0, index).view_as(level[0]) for c in channels]
        return torch.stack(found, dim=1)
