"""Lookup tables: two `.cube` files, close to g, and an array of all 8-bit colours, exact."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange

from infomin.core import files
from infomin.core.channel_groups import split
from infomin.export.cube import ColorCube
from infomin.export.formats import FORMATS, Format
from infomin.export.sample import Sample
from infomin.generator import ViewGenerator
from infomin.views.color_table import ColorTable, all_colors

BOUNDS = {33: (2 / 255, 5e-4), 65: (1 / 255, 2e-4)}
"""Largest and mean error by points a side, relative to the range of each channel."""
TABLE = "colors.npy"
TABLE_MAX_ERROR = 1e-6  # products of another shape can differ in the last bit


def _write_cubes(generator: ViewGenerator, folder: Path, sample: Sample) -> dict[str, Any]:
    records = {}
    for points, (max_error, mean_error) in BOUNDS.items():
        name = f"generator_{points}.cube"
        title = f"infomin view generator, {points} points"
        ColorCube.of(generator, points).save(folder / name, title)
        cube = ColorCube.load(folder / name)
        views = split(cube(sample.images), generator.groups)
        scale = [(cube.high - cube.low)[list(group)] for group in generator.groups]
        record = sample.compare(name, views, max_error, mean_error, scale)
        records[name] = record | {"low": cube.low.tolist(), "high": cube.high.tolist()}
    return records


def _write_table(generator: ViewGenerator, folder: Path, sample: Sample) -> dict[str, Any]:
    """Write an array of float32, row 65536 R + 256 G + B, one column per output channel."""
    files.write(folder / TABLE, lambda stream: np.save(stream, all_colors(generator).numpy()))
    colors = np.load(folder / TABLE, mmap_mode="r", allow_pickle=False)
    rounded = sample.to_8_bits(generator)
    red, green, blue = rounded.levels.int().numpy().transpose(1, 0, 2, 3)
    rows = torch.from_numpy(colors[65536 * red + 256 * green + blue])
    views = split(rearrange(rows, "b h w c -> b c h w"), generator.groups)
    return {TABLE: rounded.compare(TABLE, views, TABLE_MAX_ERROR)}


FORMATS["lut"] = Format(
    _write_cubes,
    files=tuple(f"generator_{points}.cube" for points in BOUNDS),
    opened_by="ffmpeg, Pillow, photo and video editors, `infomin.export.cube.ColorCube`",
    language="sh",
    usage="""
ffmpeg -i photograph.png -vf lut3d=generator_33.cube views.png
# views are scaled to [0, 1]; comments in the .cube file give the scale
""",
    check=ColorCube.check_generator,
)
FORMATS["table"] = Format(
    _write_table,
    files=(TABLE,),
    opened_by="`numpy.load`",
    default=False,
    usage="""
import numpy

colors = numpy.load("colors.npy", mmap_mode="r")
r, g, b = image.astype("uint32").transpose(2, 0, 1)  # uint8 image, h w 3
channels = colors[65536 * r + 256 * g + b]  # all output channels, h w 3
""",
    check=ColorTable.check_generator,
)
