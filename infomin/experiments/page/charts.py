"""Charts of runs: every seed of a row, accuracy against I_NCE, and what was logged in training."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from infomin.core.page.charts import LINE, Frame, Points, apart, grid, padded, path, svg
from infomin.experiments.comparison import Comparison
from infomin.experiments.marks import ink, mark
from infomin.experiments.measures import I_NCE, protocol_of
from infomin.experiments.spread import Spread

_WIDTH, _HEIGHT = 340, 272
_INSIDE = (54, 14, 310, 220)  # left, top, right, bottom
_FAR = 3
Box = tuple[float, float, float, float]
_STRIP = Frame((0, 1), (0, 1), 8, 0, 142, 24)


class Line(NamedTuple):
    """A curve of one run, and the place of its row in the table, counted from 0."""

    row: int
    points: Points


def strip(i: int, found: Spread, between: tuple[float, float], score: str) -> Markup:
    """Draw every seed of row i as a dot, their mean as its mark, one deviation to each side."""
    frame = _STRIP._replace(x=between)
    middle, mean = frame.bottom / 2, frame.across(found.mean)
    parts = [Markup('<path class="rule" d="M0 {0}H150"/>').format(middle)]
    if found.std is not None:
        low, high = (frame.across(found.mean + sign * found.std) for sign in (-1, 1))
        bar = '<path class="bar ink-{}" d="M{:.1f} {}H{:.1f}"/>'
        parts.append(Markup(bar).format(ink(i), low, middle, high))
        parts += [_dot(i, frame.across(v), middle) for v in found.values]
    parts.append(mark(i, mean, middle, 0.85))
    values = ", ".join(f"{value:.1f}" for value in found.values)
    title = f"{score} of every seed: {values}; mean {found.mean:.1f}"
    return Markup(
        '<svg class="strip" role="img" aria-label="{}" viewBox="0 0 150 24" width="150" '
        'height="24">{}</svg>'
    ).format(title, Markup("").join(parts))


def sweet_spot(
    table: Comparison, most: int, cap: float | None, chance: float | None
) -> Markup | None:
    """Draw accuracy, or mean IoU, against I_NCE, a mark a row, a deviation over seeds to each side.

    None where no row has both.

    Arguments:
        table: whose rows they are.
        most: rows that are drawn, the first.
        cap: log K in nats, which no I_NCE exceeds.
        chance: accuracy of guessing, %.
    """
    found = [
        (i, x, y)
        for i, row in enumerate(table.rows[:most])
        if (x := row.spread(I_NCE)) and (y := row.score)
    ]
    if not found:
        return None
    across = [v for _, x, _ in found for v in (*_reach(x), *x.values)]
    down = [v for _, _, y in found for v in (*_reach(y), *y.values)]
    frame = Frame(ends(across, 0.1, cap), ends(down, 1, chance), *_INSIDE)
    parts = [grid(frame, "held-out I_NCE, nats", protocol_of(table.scored_by))]
    parts += [_cap_across(frame, cap)] if cap is not None else []
    parts += [_chance(frame, chance)] if chance is not None else []
    parts += [_cross(frame, i, x, y) for i, x, y in found]
    parts += [mark(i, frame.across(x.mean), frame.down(y.mean)) for i, x, y in found]
    parts += _numbers(frame, found)
    return svg(_WIDTH, _HEIGHT, "Linear-probe accuracy against held-out I_NCE", parts)


def training(lines: Sequence[Line], name: str, cap: float | None = None) -> Markup | None:
    """Draw a metric over the steps, a line a run, numbered by rows at its end.

    None where nothing was logged.

    Arguments:
        lines: in the order of the table.
        name: of the metric, with its unit.
        cap: log K in nats, drawn where there is one.
    """
    drawn = [line for line in lines if line.points]
    if not drawn:
        return None
    xs, ys = zip(*(point for line in drawn for point in line.points), strict=True)
    levels = ends(ys if cap is None else [*ys, 0, cap], 0.1)
    frame = Frame((min(*xs, 0), max(*xs, 1)), levels, *_INSIDE)
    parts = [grid(frame, "step", name)]
    if cap is not None:
        parts.append(_cap_along(frame, cap))
    for row, points in drawn:
        line = '<path class="line ink-{0} dash-{0}" d="{1}"/>'
        parts.append(Markup(line).format(ink(row), path(frame, points)))
    last = {line.row: frame.down(line.points[-1][1]) for line in drawn}
    places = apart([*last.values()])
    for row, place in zip(last, places, strict=True):
        parts.append(_number(row, frame.right + 6, place + 4))
    return svg(_WIDTH, _HEIGHT, f"{name} over the steps of training", parts)


def ends(values: Sequence[float], least: float, aim: float | None = None) -> tuple[float, float]:
    """Return the ends of an axis around values, and around what they aim at where that is near.

    Arguments:
        least: room to each side of the values at least.
        aim: a cap or a level of chance; so far off that it would squeeze the values to less than a
            third of the axis, it is left outside.
    """
    low, high = padded(values)
    low, high = min(low, min(values) - least), max(high, max(values) + least)
    if aim is None:
        return low, high
    wide = padded([low, high, aim])
    return wide if wide[1] - wide[0] < _FAR * (high - low) else (low, high)


def _reach(found: Spread) -> tuple[float, float]:
    std = found.std or 0.0
    return found.mean - std, found.mean + std


def _cross(frame: Frame, i: int, x: Spread, y: Spread) -> Markup:
    """Draw one deviation to each side, both ways."""
    left, right = map(frame.across, _reach(x))
    bottom, top = map(frame.down, _reach(y))
    middle, mean = frame.down(y.mean), frame.across(x.mean)
    return Markup(
        '<path class="bar ink-{}" d="M{:.1f} {:.1f}H{:.1f}M{:.1f} {:.1f}V{:.1f}"/>'
    ).format(ink(i), left, middle, right, mean, bottom, top)


def _numbers(frame: Frame, found: Sequence[tuple[int, Spread, Spread]]) -> list[Markup]:
    """Number the marks: each beside its own, at the first place that nothing else has taken."""
    marks = [(frame.across(x.mean), frame.down(y.mean)) for _, x, y in found]
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in marks]
    numbers = []
    for (i, _, _), (x, y) in zip(found, marks, strict=True):
        width = 8 * len(str(i + 1))
        boxes = [_box(x, y, width, *side) for ring in (1.0, 1.9) for side in _around(ring)]
        free = [box for box in boxes if not any(_meet(box, other) for other in taken)]
        box = (free or boxes)[0]
        taken.append(box)
        numbers.append(_number(i, box[0], box[3] - 1))
    return numbers


def _around(ring: float) -> list[tuple[float, float]]:
    """Return the sides of a mark in the order in which a reader looks for its number."""
    return [
        (ring * x, ring * y) for x, y in ((1, -0.6), (-1, -0.6), (1, 0.8), (-1, 0.8), (0, -1.3))
    ]


def _box(x: float, y: float, width: float, across: float, down: float) -> Box:
    """Return where a number lies beside a mark: left, top, right, bottom."""
    left = x + 9 * across - (width if across < 0 else 0 if across > 0 else width / 2)
    top = y + 11 * down - 6
    return (left, top, left + width, top + 12)


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _number(row: int, x: float, y: float) -> Markup:
    return Markup('<text class="number" x="{:.1f}" y="{:.1f}">{}</text>').format(x, y, row + 1)


def _dot(i: int, x: float, y: float) -> Markup:
    return Markup('<circle class="dot ink-{}" cx="{:.1f}" cy="{}" r="2.6"/>').format(ink(i), x, y)


def _cap_across(frame: Frame, cap: float) -> Markup:
    if not frame.x[0] <= cap <= frame.x[1]:
        outside = '<text x="{}" y="{}" text-anchor="end">cap log K = {:.2f} →</text>'
        return Markup(outside).format(frame.right, frame.top - 3, cap)
    x = frame.across(cap)
    return Markup(
        '<path class="cap" d="M{0:.1f} {1}V{2}"/>'
        '<text x="{0:.1f}" y="{3}" text-anchor="end">cap log K = {4:.2f}</text>'
    ).format(x, frame.top, frame.bottom, frame.top - 3, cap)


def _cap_along(frame: Frame, cap: float) -> Markup:
    y = frame.down(cap)
    return Markup(
        '<path class="cap" d="M{:.1f} {:.1f}H{:.1f}"/>'
        '<text x="{:.1f}" y="{:.1f}" text-anchor="end">cap log K = {:.2f}</text>'
    ).format(frame.left, y, frame.right, frame.right, y + LINE, cap)


def _chance(frame: Frame, chance: float) -> Markup:
    if not frame.y[0] <= chance <= frame.y[1]:
        outside = '<text x="{}" y="{}">chance {:.3g} % ↓</text>'
        return Markup(outside).format(frame.left + 4, frame.bottom - 6, chance)
    y = frame.down(chance)
    return Markup(
        '<path class="cap" d="M{0} {1:.1f}H{2}"/><text x="{3}" y="{4:.1f}">chance {5:.3g} %</text>'
    ).format(frame.left, y, frame.right, frame.left + 4, y - 5, chance)
