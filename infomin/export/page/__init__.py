"""`card.html`: one file about one generator, which also applies it to any image, offline.

Pictures, styles, the script and a lookup table are inside. The content security policy forbids
every request and every script but this one. All text is escaped, since cards can come from
strangers.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infomin.core import files
from infomin.core.page import render
from infomin.export.card_text import held_out_i_nce, i_nce_curve, training_text
from infomin.export.page import charts, explorer, pictures
from infomin.export.page.channels import measure
from infomin.export.sample import Sample
from infomin.generator import ViewGenerator

FILE = "card.html"
MAX_BYTES = 1_500_000


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
        explorer=explorer.content(generator, folder, measured),
    )
    assert len(page) < MAX_BYTES, len(page)
    files.write_bytes(folder / FILE, page)
