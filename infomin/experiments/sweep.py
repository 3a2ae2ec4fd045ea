"""A sweep over views: accuracy against I_NCE, setting by setting, and where it turns."""

import statistics
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from infomin.core.errors import InputError
from infomin.experiments.grid.cells import CROP
from infomin.experiments.grid.records import SCORES, WORDS, Record
from infomin.experiments.marks import COLORS, SHAPES
from infomin.experiments.turning import Point, Turning, fitted, turning_point


def turning(records: Sequence[Record]) -> Turning:
    """Find where accuracy turns as views share more, or that it does not.

    Raises:
        InputError: for a record without I_NCE.
    """
    return turning_point(_points(records), scored=WORDS[records[0].judged_by])


def figure(records: Sequence[Record], title: str, found: Turning) -> Figure:
    """Draw means of all settings with a standard deviation to each side, fit, cap and chance.

    Chance lies far below the accuracies, in a strip of its own under a break of the axis. Settings
    are named beside the axes: often several share nearly the same.
    """
    drawn = Figure(figsize=(8.6, 5.0), dpi=120)
    axis, strip = drawn.subplots(2, 1, sharex=True, height_ratios=[10, 1])
    drawn.subplots_adjust(left=0.09, right=0.69, bottom=0.11, top=0.93, hspace=0.08)
    _settings(axis, records)
    _fit(axis, records, found)
    cap, chance = max(r.cap or 0 for r in records), 100 * records[0].chance
    for part in (axis, strip):
        part.axvline(cap, color="#666666", linestyle=":")
        part.grid(alpha=0.3)
        part.tick_params(labelsize=10)
    axis.axvline(cap, color="#666666", linestyle=":", label=f"cap log K = {cap:.2f}")
    axis.plot([], color="#666666", linestyle="--", label=f"chance {chance:.0f} %")
    strip.axhline(chance, color="#666666", linestyle="--")
    strip.set_ylim(chance - 2, chance + 2)
    strip.set_yticks([round(chance)])
    axis.spines["bottom"].set_visible(False)
    strip.spines["top"].set_visible(False)
    axis.tick_params(bottom=False)
    for part, edge in ((axis, 0), (strip, 1)):  # the break
        part.plot(
            [0, 1],
            [edge, edge],
            transform=part.transAxes,
            marker=[(-1, -0.6), (1, 0.6)],
            ms=10,
            linestyle="none",
            color="black",
            clip_on=False,
        )
    strip.set_xlabel("held-out I_NCE(v1; v2), nats", fontsize=12)
    axis.set_ylabel(SCORES[records[0].judged_by], fontsize=12)
    seeds = len({record.cell.seed for record in records})
    axis.set_title(f"{title}, {seeds} seeds, n = {len(records)} runs", fontsize=12, loc="left")
    handles, names = axis.get_legend_handles_labels()
    n = len(axis.containers)  # settings, which matplotlib puts after lines
    told = [*handles[-n:], *handles[:-n]], [*names[-n:], *names[:-n]]
    axis.legend(*told, fontsize=10, frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1.02))
    return drawn


def _settings(axis: Axes, records: Sequence[Record]) -> None:
    """Draw a mark for every setting, with a standard deviation to each side."""
    for number, (row, label) in enumerate(_labels(records).items()):
        some = [r for r in records if r.cell.row == row]
        x, y = [*map(_i_nce, some)], [100 * r.score for r in some]
        several = len(some) > 1
        axis.errorbar(
            statistics.mean(x),
            statistics.mean(y),
            yerr=statistics.stdev(y) if several else None,
            xerr=statistics.stdev(x) if several else None,
            fmt=SHAPES[number % len(SHAPES)],
            color=COLORS[number % len(COLORS)],
            markersize=8,
            capsize=3,
            label=label,
        )
    axis.margins(x=0.1, y=0.12)


def _fit(axis: Axes, records: Sequence[Record], found: Turning) -> None:
    """Draw the best concave curve, and the peak with its interval where there is one."""
    if found.verdict == "too few":
        return
    if found.summit is not None:
        low, middle, high = found.summit.low, found.summit.i_nce, found.summit.high
    else:
        low, middle, high = found.low, found.peak, found.high
        at = np.linspace(*found.range, 100)
        kind = "parabola" if np.isfinite(found.peak) else "line"
        curve = 100 * fitted(_points(records), at)
        axis.plot(at, curve, color="#0072b2", alpha=0.6, linewidth=1.5, label=f"best {kind}")
    if found.verdict in ("peak", "summit"):
        told = "95 % interval" if found.verdict == "peak" else "between its neighbours"
        axis.axvspan(low, high, color="#e69f00", alpha=0.15, linewidth=0)
        axis.axvline(middle, color="#e69f00", linewidth=1.5, label=f"peak, {told}")


def _points(records: Sequence[Record]) -> list[Point]:
    label = _labels(records)
    return [Point(label[r.cell.row], _i_nce(r), r.score) for r in records]


def _i_nce(record: Record) -> float:
    if record.i_nce is None:
        raise InputError(
            f"sweep: expected an I_NCE of every cell, {record.cell} has none: nothing or "
            "prediction trained it; set sweep=false"
        )
    return record.i_nce


def _labels(records: Sequence[Record]) -> dict[tuple[str, str, str], str]:
    """Return what tells each row from the others, in the order of the rows."""
    rows = list(dict.fromkeys(record.cell.row for record in records))
    telling = [i for i in range(3) if len({row[i] for row in rows}) > 1] or [1]
    named = {row: [row[i] for i in telling if row[i] != CROP] for row in rows}
    return {row: " ".join(words) or CROP for row, words in named.items()}
