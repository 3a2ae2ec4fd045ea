"""A sweep over views: accuracy against I_NCE, setting by setting, and where it turns."""

import statistics
from collections.abc import Sequence

from matplotlib.figure import Figure

from infomin.report.grid.records import SCORES, Record
from infomin.report.marks import COLORS, SHAPES
from infomin.report.turning import Point, Turning, turning_point


def turning(records: Sequence[Record]) -> Turning:
    """Find where accuracy turns as views share more, or that it does not."""
    label = _labels(records)
    return turning_point([Point(label[r.cell.row], r.i_nce, r.score) for r in records])


def figure(records: Sequence[Record], title: str, found: Turning) -> Figure:
    """Draw means of all settings with a standard deviation to each side, cap, chance and peak."""
    drawn = Figure(figsize=(6.4, 4.6), dpi=120)
    axis = drawn.subplots()
    for number, (row, label) in enumerate(_labels(records).items()):
        runs = [r for r in records if r.cell.row == row]
        x, y = [r.i_nce for r in runs], [100 * r.score for r in runs]
        several = len(runs) > 1
        axis.errorbar(
            statistics.mean(x),
            statistics.mean(y),
            yerr=statistics.stdev(y) if several else None,
            xerr=statistics.stdev(x) if several else None,
            fmt=SHAPES[number % len(SHAPES)],
            color=COLORS[number % len(COLORS)],
            markersize=8,
            capsize=3,
        )
        axis.annotate(
            label,
            (statistics.mean(x), statistics.mean(y)),
            xytext=(7, 6),
            textcoords="offset points",
            fontsize=9,
        )
    if found.verdict == "peak":
        axis.axvspan(found.low, found.high, color="#e69f00", alpha=0.15, linewidth=0)
        axis.axvline(found.peak, color="#e69f00", linewidth=1.5, label="peak, 95 % interval")
    cap = records[0].pretraining["i_nce"]["cap"]
    chance = 100 * records[0].chance
    axis.axvline(cap, color="#666666", linestyle=":", label=f"cap log K = {cap:.2f}")
    axis.axhline(chance, color="#666666", linestyle="--", label=f"chance {chance:.0f} %")
    axis.set_xlabel("held-out I_NCE(v1; v2), nats", fontsize=11)
    axis.set_ylabel(SCORES[records[0].judged_by], fontsize=11)
    seeds = len({record.cell.seed for record in records})
    axis.set_title(f"{title}, {seeds} seeds, n = {len(records)} runs", fontsize=11, loc="left")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=9, framealpha=0.9)
    drawn.tight_layout()
    return drawn


def _labels(records: Sequence[Record]) -> dict[tuple[str, str, str], str]:
    """Return what tells each row from the others, in the order of the rows."""
    rows = list(dict.fromkeys(record.cell.row for record in records))
    telling = [i for i in range(3) if len({row[i] for row in rows}) > 1] or [1]
    return {row: " ".join(row[i] for i in telling) for row in rows}
