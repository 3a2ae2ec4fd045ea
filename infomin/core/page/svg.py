"""Figures inside a page, as SVG that follows its style sheet."""

import io
import re
from collections.abc import Mapping

from markupsafe import Markup
from matplotlib.figure import Figure

_UNWANTED = (
    r"<style.*?</style>",
    r'<g id="\w+"/>',
    r'(?<=<g) id="[\w.]+"',  # names repeat from chart to chart
    r"font-family: [^;]*; ",  # the page has its own
    r' transform="rotate\(-0 [^)]*\)"',
)
"""Parts of matplotlib's SVG that a page does without."""
STYLE = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "infomin",  # the same chart is the same bytes
    "text.parse_math": False,  # no TeX from files
}
"""Settings of matplotlib for figures that become `to_svg`."""


def to_svg(figure: Figure, label: str, variables: Mapping[str, str]) -> Markup:
    """Return a figure as an element of a page.

    Arguments:
        figure: drawn and saved with `STYLE`.
        label: for screen readers.
        variables: of the style sheet, such as `soft`, by the colour `#rrggbb` that they replace.
    """
    stream = io.StringIO()
    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(stream, format="svg", transparent=True, metadata=metadata)
    text = stream.getvalue()
    content = text[text.index(">", text.index("<svg")) + 1 :]
    for pattern in _UNWANTED:
        content = re.sub(pattern, "", content, flags=re.DOTALL)
    content = re.sub(r"\s*\n\s*", "\n", content)
    for color, variable in variables.items():
        content = content.replace(color, f"var(--{variable})")
    width, height = (round(72 * side) for side in figure.get_size_inches())
    opening = Markup('<svg role="img" aria-label="{}" viewBox="0 0 {} {}" style="max-width: {}px">')
    return opening.format(label, width, height, width) + Markup(content)
