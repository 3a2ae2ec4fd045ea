"""Data for the script of the page: g as a lattice of 33^3 colours in 16 bits."""

import base64
from pathlib import Path
from typing import Any

import torch
from einops import rearrange

from infomin.export.cube import ColorCube
from infomin.export.page.channels import Measured
from infomin.generator import ViewGenerator

POINTS = 33
_LEVELS = 2**16 - 1


def content(generator: ViewGenerator, folder: Path, measured: Measured) -> dict[str, Any] | None:
    """Return the lattice, its errors in the units of the views, and the scale of each channel.

    None for images that a browser does not have: others than 3 channels in [0, 1].

    Arguments:
        generator: g.
        folder: of the export; its `.cube` file of 33 points is used when it has one.
        measured: the view channels on the sample.
    """
    if not generator.takes_8_bit_colors:
        return None
    file = folder / f"generator_{POINTS}.cube"
    cube = ColorCube.load(file) if file.exists() else ColorCube.of(generator, POINTS)
    outputs = [channel.index for channel in measured.views]
    levels = rearrange((cube.stored[outputs] * _LEVELS).round(), "c b g r -> (b g r c)")
    interpolated = cube(measured.pixels)[0, outputs, 0]
    errors = (interpolated - torch.stack([c.values for c in measured.views])).abs()
    return {
        "points": POINTS,
        "table": base64.b64encode(levels.numpy().astype("<u2").tobytes()).decode(),
        "names": [channel.name for channel in measured.raw],
        "channels": [
            {
                "name": channel.name,
                "low": cube.low[channel.index].item(),
                "high": cube.high[channel.index].item(),
                "black": channel.black,
                "white": channel.white,
                "scale": channel.scale,
            }
            for channel in measured.views
        ],
        "max_error": errors.max().item(),
        "mean_error": errors.mean().item(),
    }
