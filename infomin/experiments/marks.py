"""How a row is told from the others in table and charts: a colour, a shape and a number.

The colours are Okabe and Ito's, in the style sheet and here; each comes with a shape and a dash.
"""

from markupsafe import Markup

COLORS = ("#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
SHAPES = ("s", "D", "o", "^", "v", "P")
"""Matplotlib's names of the shapes below."""

_PATHS = (
    "M-4.5-4.5h9v9h-9z",
    "M0-6.2L6.2 0 0 6.2-6.2 0z",
    "M-5.2 0a5.2 5.2 0 1 0 10.4 0a5.2 5.2 0 1 0-10.4 0z",
    "M0-6L6 5H-6z",
    "M0 6L6-5H-6z",
    "M-2-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z",
)


def ink(i: int) -> int:
    """Return the number of the colour of row i, for the style sheet."""
    return i % len(COLORS)


def mark(i: int, x: float, y: float, scale: float = 1.0) -> Markup:
    """Draw the mark of row i, counted from 0."""
    return Markup(
        '<path class="mark ink-{}" transform="translate({:.1f} {:.1f}) scale({})" d="{}"/>'
    ).format(ink(i), x, y, scale, _PATHS[i % len(_PATHS)])


def legend(i: int) -> Markup:
    """Draw the mark of row i by itself, for its line in the table."""
    return Markup(
        '<svg class="legend" aria-hidden="true" viewBox="-8 -8 16 16" width="14" height="14">'
        "{}</svg>"
    ).format(mark(i, 0, 0))
