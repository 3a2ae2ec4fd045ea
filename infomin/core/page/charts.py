"""What charts are made of: SVG drawn by hand and coloured by the style sheet of the page.

No chart is drawn larger than its view box, and at 400 pixels its letters can still be read. All
text passes through `Markup.format`, which escapes it.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup

Points = Sequence[tuple[float, float]]
LINE = 16
"""Height of a line of text."""


class Frame(NamedTuple):
    """Where values lie on a chart: ranges of x and y, and the rectangle they fill."""

    x: tuple[float, float]
    y: tuple[float, float]
    left: float
    top: float
    right: float
    bottom: float

    def across(self, value: float) -> float:
        """Return the place of a value of x."""
        return self.left + (value - self.x[0]) / (self.x[1] - self.x[0]) * (self.right - self.left)

    def down(self, value: float) -> float:
        """Return the place of a value of y."""
        return self.bottom - (value - self.y[0]) / (self.y[1] - self.y[0]) * (
            self.bottom - self.top
        )


def svg(width: int, height: int, title: str, parts: Iterable[Markup]) -> Markup:
    """Return a drawing of parts, with the title that a screen reader says."""
    return Markup(
        '<svg role="img" aria-label="{}" viewBox="0 0 {} {}" style="max-width: {}px">{}</svg>'
    ).format(title, width, height, width, Markup("").join(parts))


def grid(frame: Frame, x_label: str, y_label: str) -> Markup:
    """Draw the frame of a chart: rules across, ticks, names of the axes."""
    parts = []
    for tick in ticks(*frame.y, 6):
        y = frame.down(tick)
        parts.append(
            Markup(
                '<path class="rule" d="M{} {:.1f}H{}"/>'
                '<text x="{}" y="{:.1f}" text-anchor="end">{}</text>'
            ).format(frame.left, y, frame.right, frame.left - 6, y + 4, written(tick))
        )
    parts += [below(frame, tick, frame.bottom + LINE) for tick in ticks(*frame.x, 5)]
    parts.append(
        Markup(
            '<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>'
            '<text transform="translate(11 {:.1f}) rotate(-90)" text-anchor="middle">{}</text>'
        ).format(
            (frame.left + frame.right) / 2,
            frame.bottom + 2 * LINE + 4,
            x_label,
            (frame.top + frame.bottom) / 2,
            y_label,
        )
    )
    return Markup("").join(parts)


def below(frame: Frame, tick: float, y: float) -> Markup:
    """Draw a tick of x, centred under its place."""
    return Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
        frame.across(tick), y, written(tick)
    )


def path(frame: Frame, points: Points) -> str:
    """Return a line through points; a single one becomes a short dash."""
    placed = [f"{frame.across(x):.1f} {frame.down(y):.1f}" for x, y in points]
    return "M" + "L".join(placed) + ("h-6" if len(placed) == 1 else "")


def padded(values: Sequence[float]) -> tuple[float, float]:
    """Return the ends of values with a little room around them."""
    low, high = min(values), max(values)
    room = 0.06 * max(high - low, 1e-6)
    return low - room, high + room


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return round numbers between two others, in steps of 1, 2 or 5 times a power of ten."""
    least = (high - low) / most
    power = 10 ** math.floor(math.log10(least))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= least)
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def written(tick: float) -> str:
    """Return a tick as text."""
    return f"{round(tick, 9):g}".replace("-", "−")


def apart(places: Sequence[float]) -> list[float]:
    """Move labels down until none lies on another."""
    moved, last = dict[int, float](), -math.inf
    for i in sorted(range(len(places)), key=lambda i: places[i]):
        last = moved[i] = max(places[i], last + LINE)
    return [moved[i] for i in range(len(places))]
