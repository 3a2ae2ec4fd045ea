"""`card.html`: a page about one generator, whole in itself, that also tries it on any image."""

import base64
import hashlib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from infomin import __version__, files
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
        "version": __version__,
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
    page = _render(facts).encode(errors="replace")  # JSON can hold half a character
    assert len(page) < LARGEST, len(page)
    files.write_bytes(folder / FILE, page)


def _render(facts: Mapping[str, Any]) -> str:
    style, script, template = (_text(n) for n in ("style.css", "explorer.js", "template.html"))
    house = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    house.filters |= {"short": told.short, "tiny": told.tiny}
    seal = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return house.from_string(template).render(
        facts, style=Markup(style), script=Markup(script), seal=seal
    )


def _text(name: str) -> str:
    return resources.files(__name__).joinpath(name).read_text(encoding="utf-8")
