"""What the script of the page computes views from: g as a lattice of 33^3 colours of 16 bits."""

import base64
from pathlib import Path
from typing import Any

import torch
from einops import rearrange

from infomin.export.cube import ColorCube
from infomin.export.page.channels import Found
from infomin.generator import ViewGenerator

POINTS = 33
_LEVELS = 2**16 - 1


def content(generator: ViewGenerator, folder: Path, found: Found) -> dict[str, Any] | None:
    """Return the table, its errors in view units, and how each channel is drawn.

    None for a generator of other images than a browser has: 3 channels within [0, 1].

    Arguments:
        generator: g.
        folder: of the export; a `.cube` file of as many points there saves making it again.
        found: channels of the views, measured on the sample.
    """
    if not generator.takes_8_bit_colors:
        return None
    file = folder / f"generator_{POINTS}.cube"
    cube = ColorCube.load(file) if file.exists() else ColorCube.of(generator, POINTS)
    outputs = [channel.output for channel in found.views]
    levels = rearrange((cube.stored[outputs] * _LEVELS).round(), "c b g r -> (b g r c)")
    made = cube(found.pixels)[0, outputs, 0]
    errors = (made - torch.stack([channel.values for channel in found.views])).abs()
    return {
        "points": POINTS,
        "table": base64.b64encode(levels.numpy().astype("<u2").tobytes()).decode(),
        "names": [channel.name for channel in found.raw],
        "channels": [
            {
                "name": channel.name,
                "low": cube.low[channel.output].item(),
                "high": cube.high[channel.output].item(),
                "black": channel.black,
                "white": channel.white,
                "scale": channel.scale,
            }
            for channel in found.views
        ],
        "max_error": errors.max().item(),
        "mean_error": errors.mean().item(),
    }
