"""A frozen 3-channel generator as an exact table of all 2^24 colours of 8 bits a channel.

g acts on each pixel alone, so on uint8 images one look-up per pixel returns the same numbers as the
flow: the same bits as a frozen g on a CPU; on a GPU, or with gradients, g rounds otherwise.
Train the flow, apply the table. The table is built once and stored in the user's cache. Every
process maps the same file into memory.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int32
from torch import Tensor

from infomin.core import files
from infomin.core.errors import InputError
from infomin.core.pixels import to_float
from infomin.core.precision import FixedPrecision
from infomin.core.shapes import Image, Pixels, Views
from infomin.core.value_range import UNIT, check_range
from infomin.generator import ViewGenerator

MAX_TABLES = 8
"""Tables in the cache, 200 MB each; a new one replaces the least recently used."""
COLORS = 2**24
"""Number of colours with 8 bits a channel."""
_ONE_NUMBER = {4: torch.float32, 8: torch.float64, 16: torch.complex128}
"""Number type for the row of a view, by its bytes: gathering one number is faster than several."""


@torch.no_grad()
def all_colors(generator: ViewGenerator) -> Float[Tensor, "n 3"]:
    """Return g of all 2^24 colours, one row each; R changes slowest, B fastest."""
    level = torch.arange(256, dtype=generator.dtype, device=generator.start.matrix.device) / 255
    green, blue = torch.meshgrid(level, level, indexing="ij")
    colors = level.new_empty(256, 2**16, 3)
    for plane, red in zip(colors, level, strict=True):
        image = torch.stack([red.expand_as(green), green, blue])[None]
        plane.copy_(rearrange(generator.transform(image), "1 c g b -> (g b) c"))
    return rearrange(colors, "r n c -> (r n) c")


class ColorTable(FixedPrecision):
    """A lookup table of g for every 8-bit colour; 200 MB in float32, built in seconds.

    Arguments:
        generator: g, with 3 channels and value range (0, 1).
        colors: the table from the cache, view after view; None computes it.

    Raises:
        InputError: for another number of channels or another range.
    """

    colors: Float[Tensor, " n"]

    def __init__(self, generator: ViewGenerator, colors: Tensor | None = None) -> None:
        super().__init__()
        self.check_generator(generator)
        self.view_channels = generator.view_channels
        if colors is None:
            rows = all_colors(generator)
            colors = torch.cat([rows[:, list(group)].flatten() for group in generator.groups])
        self.register_buffer("colors", colors, persistent=False)

    @staticmethod
    def check_generator(generator: ViewGenerator) -> None:
        """Check that a generator can be tabulated.

        Raises:
            InputError: for other than 3 channels in [0, 1].
        """
        if not generator.takes_8_bit_colors:
            raise InputError(
                "table: expected a generator of 3 channels in [0, 1], got "
                f"{generator.channels} in {list(generator.value_range)}; set table=false"
            )

    @classmethod
    def cached(cls, generator: ViewGenerator, cache: str | None = None) -> "ColorTable":
        """Open the table of a frozen generator from the cache; build it the first time.

        The cache is not the folder of the generator: a stranger's folder could hold a wrong table.

        Arguments:
            generator: g; a digest of its architecture and weights names the file.
            cache: folder; None is the user's cache folder.
        """
        path = files.cache_folder(cache) / "tables" / f"{_digest(generator)}.npy"
        colors = _map_file(path)
        if colors is None:
            table = cls(generator)
            files.make_folder(path.parent)
            files.write(path, lambda stream: np.save(stream, table.colors.cpu().numpy()))
            for old in sorted(path.parent.glob("*.npy"), key=_last_used)[:-MAX_TABLES]:
                old.unlink(missing_ok=True)  # a process that has mapped it can still read it
            colors = _map_file(path)
        return cls(generator, colors)

    def forward(self, x: Pixels) -> Views:
        """Return the views `b c_i h w` of images, in channels-last memory.

        Arguments:
            x: images `b 3 h w`, uint8, or float in [0, 1], which are rounded to 8 bits.

        Raises:
            InputError: for another number of channels, values outside [0, 1], or images that need a
                gradient, which a table does not pass.
        """
        index = _color_index(x)
        return tuple(self._look_up(index, i) for i in range(len(self.view_channels)))

    def view(self, x: Pixels, i: int) -> Image:
        """Return view i alone, `b c_i h w`, without the cost of the others."""
        return self._look_up(_color_index(x), i)

    def _look_up(self, index: Int32[Tensor, "b h w"], i: int) -> Image:
        first, channels = sum(self.view_channels[:i]), self.view_channels[i]
        of_view = self.colors[first * COLORS : (first + channels) * COLORS]
        rows = of_view.view(_ONE_NUMBER[channels * of_view.element_size()])
        values = rows.index_select(0, index.flatten()).view(of_view.dtype)
        b, h, w = index.shape
        return values.view(b, h, w, channels).movedim(-1, 1)  # images without pixels, too


def _color_index(x: Pixels) -> Int32[Tensor, "b h w"]:
    """Return 65536 R + 256 G + B of every pixel."""
    if x.ndim != 4 or x.shape[1] != 3:
        raise InputError(
            f"images: a table of colours takes b 3 h w, got {' '.join(map(str, x.shape))}"
        )
    if x.requires_grad and torch.is_grad_enabled():
        raise InputError(
            "images: a table of colours passes no gradient, expected images that need none; "
            "compute the views with table=false"
        )
    if x.dtype == torch.uint8:
        level = x.int().unbind(1)
    else:  # float32 is exact up to 2^24
        x = to_float(x, UNIT, "a table of colours")
        check_range(x, UNIT, "a table of colours")
        level = x.mul(255).round_().unbind(1)
    return (level[0] * 2**16).add_(level[1], alpha=2**8).add_(level[2]).int()


def _map_file(path: Path) -> Tensor | None:
    """Map a table file into memory; return None when it is missing or damaged."""
    try:
        # copy on write; nothing writes, so all processes share the pages of the file
        colors = torch.from_numpy(np.load(path, mmap_mode="c", allow_pickle=False))
    except (OSError, ValueError, EOFError):
        return None
    complete = colors.dtype == torch.float32 and colors.shape == (3 * COLORS,)
    return colors if complete else None


def _last_used(path: Path) -> float:
    try:
        return max(path.stat().st_atime, path.stat().st_mtime)
    except FileNotFoundError:  # another process deleted it
        return 0.0


def _digest(generator: ViewGenerator) -> str:
    digest = hashlib.sha256(json.dumps(generator.architecture, sort_keys=True).encode())
    digest.update(torch.__version__.encode())  # another build may round differently
    for name, weight in sorted(generator.state_dict().items()):
        digest.update(name.encode() + weight.detach().cpu().numpy().tobytes())
    return digest.hexdigest()[:32]
