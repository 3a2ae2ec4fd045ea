"""`card.html`: a page about one generator, whole in itself, that also tries it on any image."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infomin.core import files
from infomin.core.page import render
from infomin.export import told
from infomin.export.page import charts, explorer, pictures
from infomin.export.page.channels import measure
from infomin.export.sample import Sample
from infomin.generator import ViewGenerator

FILE = "card.html"
LARGEST = 1_500_000  # bytes


def write(
    generator: ViewGenerator,
    training: Mapping[str, Any],
    exports: Mapping[str, Any],
    folder: Path,
    sample: Sample,
) -> None:
    """Write `card.html` into a folder.

    It asks the network for nothing: pictures, styles, the script and the lookup table are inside,
    and its content security policy allows no more. What a card says is shown as text.

    Arguments:
        generator: g.
        training, exports: those of its card.
        folder: there already; its lookup table is used where it holds one.
        sample: the images that are shown and measured.
    """
    found = measure(generator, sample)
    curve, i_nce = told.curve(training), told.i_nce(training)
    facts = {
        "generator": generator,
        "found": found,
        "sample": sample,
        "gallery": pictures.gallery(generator, sample, found),
        "color": pictures.color(generator, found) if generator.channels == 3 else None,
        "histograms": [charts.histogram(channel) for channel in found.views],
        "training": told.training(training),
        "progress": charts.progress(curve, i_nce) if curve else None,
        "i_nce": i_nce,
        "exports": exports,
        "explorer": explorer.content(generator, folder, found),
    }
    page = render(__name__, "style.css", "explorer.js", **facts)
    assert len(page) < LARGEST, len(page)
    files.write_bytes(folder / FILE, page)
