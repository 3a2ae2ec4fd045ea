"""Charts as SVG, drawn by hand and coloured by the style sheet of the page.

No chart is drawn larger than its view box, and at 400 pixels its letters can still be read. All
text passes through `Markup.format`, which escapes it.
"""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from markupsafe import Markup

from infomin.export.page.channels import Channel
from infomin.export.told import Curve, Estimate

Points = Sequence[tuple[float, float]]
_LINE = 16  # height of a line of text
_BINS = 80


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


def lines(series: Sequence[tuple[str, Points]]) -> Markup:
    """Draw a curve for each channel over the grey axis, named at its right end."""
    xs, ys = zip(*(point for _, points in series for point in points), strict=True)
    frame = Frame((min(xs), max(xs)), _padded(ys), 58, 12, 330, 244)
    ends = _apart([frame.down(points[-1][1]) for _, points in series])
    parts = [_grid(frame, "value of the grey image", "value of the channel")]
    for i, ((name, points), end) in enumerate(zip(series, ends, strict=True), 1):
        parts.append(
            Markup(
                '<path class="line line-{0}" d="{1}"/>'
                '<text class="line-{0}" x="{2}" y="{3:.1f}">{4}</text>'
            ).format(i, _path(frame, points), frame.right + 8, end + 4, name)
        )
    return _svg(460, 290, "Output channels along the grey axis", parts)


def progress(curve: Curve, held_out: Estimate | None) -> Markup:
    """Draw I_NCE over the steps of the game, its cap, and the held-out value at the end."""
    top = max(y for _, y in curve.points)
    top = max([top, *([curve.cap] if curve.cap else []), *([held_out.high] if held_out else [])])
    steps = [x for x, _ in curve.points]
    lowest = min(0.0, *(y for _, y in curve.points))
    frame = Frame((0, max(*steps, 1)), (lowest, max(top, 1e-3) * 1.06), 58, 12, 372, 244)
    parts = [_grid(frame, "step of the game", "I_NCE, nats")]
    if curve.cap:
        y = frame.down(curve.cap)
        parts.append(
            Markup(
                '<path class="cap" d="M{:.1f} {:.1f}H{:.1f}"/>'
                '<text x="{:.1f}" y="{:.1f}" text-anchor="end">cap log K = {:.2f}</text>'
            ).format(frame.left, y, frame.right, frame.right, y + _LINE, curve.cap)
        )
    parts.append(Markup('<path class="line line-1" d="{}"/>').format(_path(frame, curve.points)))
    if held_out:
        x = frame.right + 16
        low, value, high = (frame.down(v) for v in (held_out.low, held_out.value, held_out.high))
        parts.append(
            Markup(
                '<path class="line line-2" d="M{0} {1:.1f}V{2:.1f}"/>'
                '<circle class="dot-2" cx="{0}" cy="{3:.1f}" r="4"/>'
                '<text class="line-2" x="{4}" y="{5:.1f}">held out</text>'
            ).format(x, low, high, value, x + 8, value + 4)
        )
    return _svg(460, 290, "I_NCE over the steps of the game", parts)


def histogram(channel: Channel) -> Markup:
    """Draw how often values of a channel are met, and below which grey they are drawn in."""
    low, high = channel.values.min().item(), channel.values.max().item()
    high = max(high, low + 1e-6)
    counts = torch.histc(channel.values.float(), _BINS, low, high)
    frame = Frame((low, high), (0, counts.max().item()), 12, 8, 308, 108)
    steps = [frame.left + i * (frame.right - frame.left) / _BINS for i in range(_BINS + 1)]
    outline = [f"M{frame.left:.1f} {frame.bottom}"]
    for count, x in zip(counts.tolist(), steps[1:], strict=True):
        outline.append(f"V{frame.down(count):.1f}H{x:.1f}")
    parts = [
        Markup('<path class="bars" d="{}V{}Z"/>').format("".join(outline), frame.bottom),
        Markup(
            '<linearGradient id="{0}" gradientUnits="userSpaceOnUse" x1="{1:.1f}" x2="{2:.1f}">'
            '<stop stop-color="#000"/><stop offset="1" stop-color="#fff"/></linearGradient>'
            '<rect class="ramp" fill="url(#{0})" x="{3}" y="112" width="{4}" height="10"/>'
        ).format(
            f"ramp-{channel.output}",
            frame.across(channel.black),
            frame.across(channel.white),
            frame.left,
            frame.right - frame.left,
        ),
        *(_below(frame, tick, 138) for tick in _ticks(low, high, 5)),
    ]
    title = f"Histogram of {channel.name}, from {low:.3g} to {high:.3g}"
    return _svg(320, 144, title, parts)


def _svg(width: int, height: int, title: str, parts: Iterable[Markup]) -> Markup:
    return Markup(
        '<svg role="img" aria-label="{}" viewBox="0 0 {} {}" style="max-width: {}px">{}</svg>'
    ).format(title, width, height, width, Markup("").join(parts))


def _grid(frame: Frame, x_label: str, y_label: str) -> Markup:
    """Draw the frame of a chart: rules across, ticks, names of the axes."""
    parts = []
    for tick in _ticks(*frame.y, 6):
        y = frame.down(tick)
        parts.append(
            Markup(
                '<path class="rule" d="M{} {:.1f}H{}"/>'
                '<text x="{}" y="{:.1f}" text-anchor="end">{}</text>'
            ).format(frame.left, y, frame.right, frame.left - 6, y + 4, _written(tick))
        )
    parts += [_below(frame, tick, frame.bottom + _LINE) for tick in _ticks(*frame.x, 5)]
    parts.append(
        Markup(
            '<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>'
            '<text transform="translate(11 {:.1f}) rotate(-90)" text-anchor="middle">{}</text>'
        ).format(
            (frame.left + frame.right) / 2,
            frame.bottom + 2 * _LINE + 4,
            x_label,
            (frame.top + frame.bottom) / 2,
            y_label,
        )
    )
    return Markup("").join(parts)


def _below(frame: Frame, tick: float, y: float) -> Markup:
    return Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
        frame.across(tick), y, _written(tick)
    )


def _path(frame: Frame, points: Points) -> str:
    """Return a line through points; a single one becomes a short dash."""
    placed = [f"{frame.across(x):.1f} {frame.down(y):.1f}" for x, y in points]
    return "M" + "L".join(placed) + ("h-6" if len(placed) == 1 else "")


def _padded(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = 0.06 * max(high - low, 1e-6)
    return low - room, high + room


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Return round numbers between two others, in steps of 1, 2 or 5 times a power of ten."""
    least = (high - low) / most
    power = 10 ** math.floor(math.log10(least))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= least)
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _written(tick: float) -> str:
    return f"{round(tick, 9):g}".replace("-", "−")


def _apart(places: Sequence[float]) -> list[float]:
    """Move labels down until none lies on another."""
    moved, last = dict[int, float](), -math.inf
    for i in sorted(range(len(places)), key=lambda i: places[i]):
        last = moved[i] = max(places[i], last + _LINE)
    return [moved[i] for i in range(len(places))]
