"""HTML pages in a single file, which load nothing from a network.

Templates extend `page.html`. Its content security policy allows embedded pictures, embedded styles,
and one script by its digest. All text is escaped.
"""

import base64
import hashlib
from importlib import resources
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from infomin import __version__
from infomin.core.page.text import as_text, cut, error_text

_BASE = "page.html"


def render(package: str, style: str, script: str, **facts: Any) -> bytes:
    """Return a page as UTF-8.

    Arguments:
        package: that holds `template.html` and the next two files.
        style: name of its style sheet, appended to the common one.
        script: name of its script.
        facts: variables of the template.
    """
    code = read(package, script)
    templates = {_BASE: read(__name__, _BASE), "page": read(package, "template.html")}
    environment = Environment(
        loader=DictLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"as_text": as_text, "error_text": error_text, "cut": cut}
    page = environment.get_template("page").render(
        facts,
        version=__version__,
        style=Markup(read(__name__, "page.css") + read(package, style)),
        script=Markup(code),
        script_digest=base64.b64encode(hashlib.sha256(code.encode()).digest()).decode(),
    )
    return page.encode(errors="replace")  # JSON can hold half of a surrogate pair


def read(package: str, name: str) -> str:
    """Return a text file of a package."""
    return resources.files(package).joinpath(name).read_text(encoding="utf-8")
