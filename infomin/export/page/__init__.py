"""`card.html`: one file about one generator, which also applies it to any image, offline.

Pictures, styles, the script and a lookup table are inside. The content security policy forbids
every request and every script but this one. All text is escaped, since cards can come from
strangers.
"""

import base64
import hashlib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from infomin import __version__
from infomin.core import files
from infomin.export.card_text import (
    as_text,
    error_text,
    held_out_i_nce,
    i_nce_curve,
    training_text,
)
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
    page = _render(
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


def _render(**facts: Any) -> bytes:
    """Return the page as UTF-8."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"as_text": as_text, "error_text": error_text}
    script = _read("explorer.js")
    page = environment.from_string(_read("template.html")).render(
        facts,
        version=__version__,
        style=Markup(_read("style.css")),
        script=Markup(script),
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    return page.encode(errors="replace")  # JSON can hold half of a surrogate pair


def _read(name: str) -> str:
    return resources.files(__name__).joinpath(name).read_text(encoding="utf-8")
