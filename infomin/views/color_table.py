"""A frozen 3-channel generator on 8-bit images, as the exact table of all 2^24 colours.

g is pixel-wise, so on uint8 pixels it *is* a table: one look-up a pixel gives the very numbers of
the flow. Learn with the flow, apply with the table. Built once it is kept in the user's cache,
mapped into memory and shared by all processes that open it.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int32, UInt8
from torch import Tensor, nn

from infomin.core import files
from infomin.core.errors import InputError
from infomin.core.shapes import Image, Views
from infomin.core.value_range import UNIT, check_range
from infomin.generator import ViewGenerator

Levels = Float[Tensor, "b c h w"] | UInt8[Tensor, "b c h w"]

KEPT = 8
"""Tables in the cache, 200 MB each; the one longest unused makes room for a new one."""
COLORS = 2**24
"""How many there are of 8 bits a channel."""
_ONE_NUMBER = {4: torch.float32, 8: torch.float64, 16: torch.complex128}
"""What rows of so many bytes, of the 1 or 2 channels of a view, are looked up as: one number is
found a quarter faster than a row of them."""


@torch.no_grad()
def all_colors(generator: ViewGenerator) -> Float[Tensor, "n 3"]:
    """Return g of all 2^24 colours, R changing slowest, a row of all output channels for each."""
    level = torch.arange(256, device=next(generator.buffers()).device) / 255
    green, blue = torch.meshgrid(level, level, indexing="ij")
    colors = level.new_empty(256, 2**16, 3)
    for plane, red in zip(colors, level, strict=True):
        image = torch.stack([red.expand_as(green), green, blue])[None]
        plane.copy_(rearrange(generator.transform(image), "1 c g b -> (g b) c"))
    return rearrange(colors, "r n c -> (r n) c")


class ColorTable(nn.Module):
    """g(x) of every colour with 8 bits a channel; 200 MB in float32, built in seconds.

    Arguments:
        generator: with 3 channels and value range (0, 1).
        colors: the views of all colours, view after view, where they are known already.

    Raises:
        InputError: for another number of channels or range.
    """

    colors: Float[Tensor, " n"]

    def __init__(self, generator: ViewGenerator, colors: Tensor | None = None) -> None:
        super().__init__()
        self.needs(generator)
        self.view_channels = generator.view_channels
        if colors is None:
            rows = all_colors(generator)
            colors = torch.cat([rows[:, list(group)].flatten() for group in generator.groups])
        self.register_buffer("colors", colors, persistent=False)

    @staticmethod
    def needs(generator: ViewGenerator) -> None:
        """Make sure that a generator has a table.

        Raises:
            InputError: for other than 3 channels in [0, 1].
        """
        if not generator.takes_8_bit_colors:
            raise InputError(
                "table: expected a generator of 3 channels in [0, 1], got "
                f"{generator.channels} in {list(generator.value_range)}; do without a table"
            )

    @classmethod
    def cached(cls, generator: ViewGenerator, cache: str | None = None) -> "ColorTable":
        """Open the table of a frozen generator; build and keep it the first time.

        Not beside the generator, as one would first think: a folder from elsewhere could bring a
        table that is not g's, one from a package may not be written, and copies of a folder
        would not share.

        Arguments:
            generator: g; its table is found by a digest of architecture and weights.
            cache: folder; None is the user's cache folder.
        """
        path = files.cache_folder(cache) / "tables" / f"{_digest(generator)}.npy"
        colors = _mapped(path)
        if colors is None:
            table = cls(generator)
            files.make_folder(path.parent)
            files.write(path, lambda stream: np.save(stream, table.colors.cpu().numpy()))
            for old in sorted(path.parent.glob("*.npy"), key=_last_used)[:-KEPT]:
                old.unlink(missing_ok=True)  # whoever has it mapped keeps it
            colors = _mapped(path)
        return cls(generator, colors)

    def forward(self, x: Levels) -> Views:
        """Return the views of images, stored pixel by pixel (channels last).

        Arguments:
            x: uint8, or float in [0, 1], rounded to 8 bits first, as image libraries do.

        Raises:
            InputError: for other channels, or values outside [0, 1]; what `check_range`
                tolerates rounds to it.
        """
        index = _index(x)
        return tuple(self._look_up(index, i) for i in range(len(self.view_channels)))

    def view(self, x: Levels, i: int) -> Image:
        """Return view i alone, as `forward` does, at the cost of its channels."""
        return self._look_up(_index(x), i)

    def _look_up(self, index: Int32[Tensor, "b h w"], i: int) -> Image:
        before, channels = sum(self.view_channels[:i]), self.view_channels[i]
        of_view = self.colors[before * COLORS : (before + channels) * COLORS]
        rows = of_view.view(_ONE_NUMBER[channels * of_view.element_size()])
        found = rows.index_select(0, index.flatten()).view(of_view.dtype)
        b, h, w = index.shape
        return rearrange(found, "(b h w c) -> b c h w", b=b, h=h, w=w)


def _index(x: Levels) -> Int32[Tensor, "b h w"]:
    """Return 65536 R + 256 G + B of every pixel."""
    if x.ndim != 4 or x.shape[1] != 3:
        raise InputError(
            f"images: a table of colours takes b 3 h w, got {' '.join(map(str, x.shape))}"
        )
    if x.dtype == torch.uint8:
        level = x.int().unbind(1)
    else:  # float32 counts exactly as far as the index goes
        check_range(x, UNIT, "a table of colours")
        level = x.float().mul(255).round_().unbind(1)
    return (level[0] * 2**16).add_(level[1], alpha=2**8).add_(level[2]).int()


def _mapped(path: Path) -> Tensor | None:
    """Map a table into memory, or return None where there is none."""
    try:
        # copy on write: nobody writes, so that all processes share the pages of the file
        colors = torch.from_numpy(np.load(path, mmap_mode="c", allow_pickle=False))
    except (OSError, ValueError, EOFError):
        return None
    whole = colors.dtype == torch.float32 and colors.shape == (3 * COLORS,)
    return colors if whole else None


def _last_used(path: Path) -> float:
    try:
        return max(path.stat().st_atime, path.stat().st_mtime)
    except FileNotFoundError:  # another process has made room already
        return 0.0


def _digest(generator: ViewGenerator) -> str:
    digest = hashlib.sha256(json.dumps(generator.architecture, sort_keys=True).encode())
    digest.update(torch.__version__.encode())  # another build may round otherwise
    for name, weight in sorted(generator.state_dict().items()):
        digest.update(name.encode() + weight.detach().cpu().numpy().tobytes())
    return digest.hexdigest()[:32]
