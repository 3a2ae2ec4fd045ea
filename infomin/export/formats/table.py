"""`colors.npy`: g of every 8-bit colour, exact; 200 MB."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange

from infomin.core import files
from infomin.core.channel_groups import split
from infomin.export.formats import Format
from infomin.export.sample import Sample
from infomin.generator import ViewGenerator
from infomin.views.color_table import ColorTable, all_colors

FILE = "colors.npy"
MAX_ERROR = 1e-6  # products of another shape can differ in the last bit


class Table(Format):
    """An array of float32, row 65536 R + 256 G + B, one column per output channel."""

    name = "table"
    files = (FILE,)
    opened_by = "`numpy.load`"
    default = False
    usage = """
import numpy

colors = numpy.load("colors.npy", mmap_mode="r")
r, g, b = image.astype("uint32").transpose(2, 0, 1)  # uint8 image, h w 3
channels = colors[65536 * r + 256 * g + b]  # all output channels, h w 3
"""

    def check(self, generator: ViewGenerator) -> None:
        """Check that images have 3 channels in [0, 1]."""
        ColorTable.check_generator(generator)

    def write(self, generator: ViewGenerator, folder: Path, sample: Sample) -> dict[str, Any]:
        """Write and verify the array."""
        files.write(folder / FILE, lambda stream: np.save(stream, all_colors(generator).numpy()))
        colors = np.load(folder / FILE, mmap_mode="r", allow_pickle=False)
        rounded = sample.to_8_bits(generator)
        red, green, blue = rounded.levels.int().numpy().transpose(1, 0, 2, 3)
        rows = torch.from_numpy(colors[65536 * red + 256 * green + blue])
        views = split(rearrange(rows, "b h w c -> b c h w"), generator.groups)
        return {FILE: rounded.compare(FILE, views, MAX_ERROR)}
