"""`card.html`: one file about one generator, which also applies it to any image, offline.

Pictures, styles, the script and a lookup table are inside. The content security policy forbids
every request and every script but this one. All text is escaped, since cards can come from
strangers.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from einops import rearrange

from infomin.core import files
from infomin.core.page import render
from infomin.export.card_text import held_out_i_nce, i_nce_curve, training_text
from infomin.export.cube import ColorCube
from infomin.export.page import charts, pictures
from infomin.export.page.channels import Measured, measure
from infomin.export.sample import Sample
from infomin.generator import ViewGenerator

MAX_BYTES = 1_500_000
_POINTS = 33
_LEVELS = 2**16 - 1


def write(
    generator: ViewGenerator,
    training: Mapping[str, Any],
    exports: Mapping[str, Any],
    folder: Path,
    sample: Sample,
) -> None:
    """Write `card.html` into an existing folder.

    Arguments:
        generator: g.
        training, exports: sections of its card.
        folder: its lookup table is used when it has one.
        sample: images that the page shows and measures.
    """
    measured = measure(generator, sample)
    curve, held_out = i_nce_curve(training), held_out_i_nce(training)
    page = render(
        __name__,
        "style.css",
        "explorer.js",
        generator=generator,
        measured=measured,
        sample=sample,
        gallery=pictures.gallery(generator, sample, measured),
        color=pictures.color(generator, measured) if generator.channels == 3 else None,
        histograms=[charts.histogram(channel) for channel in measured.views],
        training=training_text(training),
        progress=charts.progress(curve, held_out) if curve else None,
        held_out=held_out,
        exports=exports,
        explorer=_explorer(generator, folder, measured) if generator.takes_8_bit_colors else None,
    )
    assert len(page) < MAX_BYTES, len(page)
    files.write_bytes(folder / "card.html", page)


def _explorer(generator: ViewGenerator, folder: Path, measured: Measured) -> dict[str, Any]:
    """Return the data of the script: g as a lattice of 33^3 colours in 16 bits, and its errors."""
    file = folder / f"generator_{_POINTS}.cube"
    cube = ColorCube.load(file) if file.exists() else ColorCube.of(generator, _POINTS)
    outputs = [channel.index for channel in measured.views]
    levels = rearrange((cube.stored[outputs] * _LEVELS).round(), "c b g r -> (b g r c)")
    interpolated = cube(measured.pixels)[0, outputs, 0]
    errors = (interpolated - torch.stack([c.values for c in measured.views])).abs()
    return {
        "points": _POINTS,
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
