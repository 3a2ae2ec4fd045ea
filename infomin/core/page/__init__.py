"""What every page has in common: one file that asks the network for nothing, and one look.

Templates extend `page.html`. Its content security policy allows pictures that are inside, styles
that are inside, and the one script whose digest it names; all text is escaped.
"""

import base64
import hashlib
from importlib import resources
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from infomin import __version__
from infomin.core.page import text

_BASE = "page.html"


def render(package: str, style: str, script: str, **facts: Any) -> bytes:
    """Return a page as UTF-8.

    Arguments:
        package: holds `template.html`, and the next two.
        style: name of its style sheet, which follows the common one.
        script: name of its script.
        facts: what the template shows.
    """
    told = read(package, script)
    templates = {_BASE: read(__name__, _BASE), "page": read(package, "template.html")}
    house = Environment(
        loader=DictLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    house.filters |= {"short": text.short, "tiny": text.tiny, "cut": text.cut}
    page = house.get_template("page").render(
        facts,
        version=__version__,
        style=Markup(read(__name__, "page.css") + read(package, style)),
        script=Markup(told),
        seal=base64.b64encode(hashlib.sha256(told.encode()).digest()).decode(),
    )
    return page.encode(errors="replace")  # JSON can hold half a character


def read(package: str, name: str) -> str:
    """Return a text file of a package."""
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")
