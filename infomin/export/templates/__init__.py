"""Templates of the texts that exports contain: READMEs, code that loads files, the ONNX graph."""

import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from infomin import __version__


def words(text: str) -> str:
    """Return a text of a card as plain words for one line of Markdown."""
    return " ".join(re.sub(r"[^\w .,+-]", " ", text).split())


_ENVIRONMENT = Environment(
    loader=PackageLoader(__name__, ""),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_ENVIRONMENT.filters["words"] = words
_ENVIRONMENT.globals["version"] = __version__


def render(template: str, **facts: Any) -> str:
    """Return the text of a template in this folder.

    Arguments:
        template: name of its file, without `.j2`.
        facts: variables of the template.
    """
    return _ENVIRONMENT.get_template(f"{template}.j2").render(facts)
