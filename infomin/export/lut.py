"""`generator_33.cube`, `generator_65.cube`, `colors.npy`: lookup tables, near and exact."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange

from infomin.core import files
from infomin.core.channel_groups import split
from infomin.export.cube import ColorCube
from infomin.export.sample import Sample
from infomin.generator import ViewGenerator
from infomin.views.color_table import all_colors

TABLE = "colors.npy"
_BOUNDS = {33: (2 / 255, 5e-4), 65: (1 / 255, 2e-4)}  # of the range of each channel: largest, mean

_ROUNDING = 1e-6  # products of another shape may differ in the last bit


def write(generator: ViewGenerator, folder: Path, sample: Sample) -> dict[str, Any]:
    """Write `.cube` files of 33 and 65 points, and verify each as read back.

    Raises:
        InputError: for a generator of other than 3 channels, or an error above the bound.
    """
    records = {}
    for n, (largest, mean) in _BOUNDS.items():
        name = f"generator_{n}.cube"
        ColorCube.of(generator, n).save(folder / name, f"infomin view generator, {n} points")
        cube = ColorCube.load(folder / name)
        made = split(cube(sample.images), generator.groups)
        scale = [(cube.high - cube.low)[list(group)] for group in generator.groups]
        record = sample.verified(name, made, largest, mean, scale)
        records[name] = record | {"low": cube.low.tolist(), "high": cube.high.tolist()}
    return records


def write_table(generator: ViewGenerator, folder: Path, sample: Sample) -> dict[str, Any]:
    """Write g of all 2^24 colours: float32, row 65536 R + 256 G + B, 200 MB.

    Raises:
        InputError: for a generator of other than 3 channels in [0, 1], or a row that is not g.
    """
    files.write(folder / TABLE, lambda stream: np.save(stream, all_colors(generator).numpy()))
    colors = np.load(folder / TABLE, mmap_mode="r", allow_pickle=False)
    rounded = sample.eight_bits(generator)
    levels = (rounded.images * 255).round().int()
    red, green, blue = levels.numpy().transpose(1, 0, 2, 3)
    found = rearrange(
        torch.from_numpy(colors[65536 * red + 256 * green + blue]), "b h w c -> b c h w"
    )
    return {TABLE: rounded.verified(TABLE, split(found, generator.groups), _ROUNDING)}
