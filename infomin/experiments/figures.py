"""Figures of result tables: scores by seed, score against I_NCE, and training curves.

The report of a grid saves them as PNG. The page of runs embeds them as SVG, in the colors of its
style sheet. A row has the same color, shape and number in all of them.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from infomin.core.names import printable
from infomin.core.page import svg
from infomin.core.page.text import cut
from infomin.experiments.results import I_NCE, MeanAndStd, ResultTable, score_axis
from infomin.experiments.sweet_spot import SweetSpot

# Okabe and Ito's colors, each with a shape and a dash: rows differ without color too
COLORS = ("#1d1f22", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_SHAPES, _DASHES = "sDo^vPX*<>ph", ("-", "--", "-.", ":")
_SOFT, _RULE = "#5b6068", "#dcdde0"
_VARIABLES = {_SOFT: "soft", _RULE: "rule"} | {c: f"ink-{i}" for i, c in enumerate(COLORS)}
_STYLE: Any = {
    **svg.STYLE,
    **{"axes.unicode_minus": True, "font.size": 12},
    **{f"{name}.labelsize": 11 for name in ("xtick", "ytick")},
    **{name: _SOFT for name in ("text.color", "axes.labelcolor", "xtick.color", "ytick.color")},
    **{"axes.grid": True, "grid.color": _RULE, "axes.edgecolor": _RULE, "axes.axisbelow": True},
    **{"axes.titlesize": 12, "axes.titlelocation": "left", "legend.fontsize": 11},
    **{"figure.dpi": 120},
}
_SIZE = (4.8, 3.8)  # inches of 72 SVG units
_MOST_ROWS = 24
Points = list[tuple[float, float]]
_NEAR = 2.0  # a cap this many ranges beyond the data is not drawn


@matplotlib.rc_context(_STYLE)
def accuracy_figure(
    table: ResultTable, title: str = "", names: bool = True, spot: SweetSpot | None = None
) -> Figure:
    """Draw the score of every row against its I_NCE: all runs, mean, and one standard deviation.

    Rows without I_NCE, of encoders trained by prediction or not at all, are in a strip on the left.

    Arguments:
        table: with at least one scored row.
        title: above the figure.
        names: whether a legend names the rows; their numbers are drawn anyway.
        spot: the sweet spot to mark.
    """
    points = table.points[:_MOST_ROWS]
    separate = [i for i, x, _ in points if x is None]
    ratios = [0.2 * len(separate)] * bool(separate) + [1.0] * (len(separate) < len(points))
    width, height = (_SIZE[0] + 3.2, _SIZE[1] + 0.8) if names else _SIZE
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(1, len(ratios), sharey=True, width_ratios=ratios, squeeze=False)[0]
    handles: list[Any] = []
    for i, x, y in points:
        row, style = table.rows[i], _style(i)
        if x is None:
            axis, place, std = axes[0], float(separate.index(i)), None
            runs = [(place, value) for value in y.values]
        else:
            axis, place, std = axes[-1], x.mean, x.std
            metrics = [r.metrics for r in row.records if {I_NCE, table.score} <= r.metrics.keys()]
            runs = [(m[I_NCE], m[table.score]) for m in metrics]
        axis.plot(*zip(*runs, strict=True), **style, ms=4, ls="", fillstyle="none", alpha=0.7)
        label = f"{i + 1} {cut(printable(row.title), 40)}, n = {len(y.values)}"
        error: Any = {"xerr": std, "yerr": y.std, "elinewidth": 1.2}
        handles.append(axis.errorbar(place, y.mean, **error, **style, ls="", ms=8, label=label))
        axis.annotate(str(i + 1), (place, y.mean), (6, 5), textcoords="offset points")
    chance = "" if table.chance is None else f" (chance {table.chance:.3g})"
    axes[0].set_ylabel(score_axis(table.score) + chance)
    if separate:
        axes[0].set(xlim=(-0.6, len(separate) - 0.4), xticks=[], xlabel="no I_NCE")
    if len(separate) < len(points):
        handles += _finish_i_nce_axis(axes[-1], points, table.cap, spot)
    axes[0].set_title(title)
    if names:
        figure.legend(handles=handles, loc="outside right upper", frameon=False)
    return figure


@matplotlib.rc_context(_STYLE)
def seeds_figure(table: ResultTable) -> Figure:
    """Draw the score of every run, a line per row, with mean and one standard deviation."""
    points = table.points[:_MOST_ROWS]
    figure = Figure(figsize=(_SIZE[0], 0.9 + 0.26 * len(points)), layout="constrained")
    axis = figure.subplots()
    for i, _, y in points:
        small: Any = {"ls": "", "ms": 5, "fillstyle": "none", "alpha": 0.7}
        axis.plot(y.values, [i + 1] * len(y.values), **_style(i), **small)
        axis.errorbar(y.mean, i + 1, xerr=y.std, **_style(i), ls="", ms=8, elinewidth=1.2)
    axis.set(yticks=[i + 1 for i, _, _ in points], ylabel="row", xlabel=score_axis(table.score))
    axis.margins(y=0.6 / len(points))
    axis.invert_yaxis()
    return figure


@matplotlib.rc_context(_STYLE)
def training_figure(
    curves: Sequence[tuple[int, Points]], metric: str, cap: float | None = None
) -> Figure:
    """Draw a logged metric over the steps, one line per run with the number of its row.

    Arguments:
        curves: (index of the row, points) of every run; at least one with points.
        metric: its name and unit.
        cap: upper limit log K of I_NCE, nats.
    """
    figure = Figure(figsize=_SIZE, layout="constrained")
    axis = figure.subplots()
    ends: dict[int, tuple[float, float]] = {}
    for i, points in curves:
        if points:
            style = {"color": _style(i)["color"], "ls": _DASHES[i % len(_DASHES)], "lw": 1.5}
            style["marker"] = "." if len(points) == 1 else ""
            axis.plot(*zip(*points, strict=True), **style)
            ends[i] = points[-1]
    if cap is not None:
        axis.axhline(cap, color=_SOFT, ls=":")
        place: Any = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "top"}
        axis.annotate(f"cap log K = {cap:.2f}", (1, cap), **place)
        axis.set_ylim(bottom=min(0.0, axis.get_ylim()[0]))
    low, high = axis.get_ylim()
    place = -np.inf
    for i, (x, y) in sorted(ends.items(), key=lambda item: item[1][1]):
        place = max(y, place + 0.05 * (high - low))  # numbers do not overlap
        axis.annotate(str(i + 1), (x, place), (5, -4), textcoords="offset points", clip_on=False)
    axis.set(xlabel="step", ylabel=metric, ylim=(low, high))
    return figure


@matplotlib.rc_context(_STYLE)
def to_svg(figure: Figure, label: str) -> Markup:
    """Return a figure of this module for a page; `label` is for screen readers."""
    return svg.to_svg(figure, label, _VARIABLES)


def _finish_i_nce_axis(
    axis: Axes,
    points: Sequence[tuple[int, MeanAndStd | None, MeanAndStd]],
    cap: float | None,
    spot: SweetSpot | None,
) -> list[Line2D]:
    """Name the axis, and draw the cap and the sweet spot; return the lines of the latter."""
    label = "held-out I_NCE(v1; v2), nats"
    if cap is not None:
        low, high = (f(v for _, x, _ in points if x for v in x.values) for f in (min, max))
        if cap - high <= _NEAR * max(high - low, 0.5):
            axis.axvline(cap, color=_SOFT, ls=":")
        label += f" (cap log K = {cap:.2f})"
    axis.set_xlabel(label)
    axis.locator_params(axis="x", nbins=6)
    if spot is None or spot.verdict == "too few":
        return []
    lines = []
    place, (low, high), interval = spot.peak, spot.interval, "95 % interval"
    if spot.order_peak:
        place, low, high = spot.order_peak.i_nce, spot.order_peak.low, spot.order_peak.high
        interval = "between its neighbors"
    else:
        at = np.linspace(*spot.range, 100)
        kind = "parabola" if len(spot.curve) == 3 else "line"
        curve = 100 * np.polyval(spot.curve, at)
        lines += axis.plot(at, curve, color=COLORS[2], label=f"best {kind}")
    if spot.verdict in ("peak", "order peak"):
        axis.axvspan(low, high, color=COLORS[5], alpha=0.15, lw=0)
        lines.append(axis.axvline(place, color=COLORS[5], label=f"peak, {interval}"))
    return lines


def _style(row: int) -> dict[str, Any]:
    return {"color": COLORS[row % len(COLORS)], "marker": _SHAPES[row % len(_SHAPES)]}
