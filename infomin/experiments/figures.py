"""Figures of results: accuracy against I_NCE, the paper's Fig. 7; a point a run, or a row."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from infomin.core.page.text import cut, number
from infomin.experiments.comparison import Comparison
from infomin.experiments.grid.records import SCORES, Record
from infomin.experiments.marks import COLORS, SHAPES
from infomin.experiments.measures import I_NCE, protocol_of

# Okabe and Ito's colours and a shape each: told apart without colour as well
_MARKS = {
    "raw": ("#000000", "s", "raw split"),
    "whole": ("#009e73", "^", "whole images"),
    "unsup": ("#0072b2", "o", "learned, unsupervised"),
    "sup": ("#999999", "v", "learned, supervised only"),
    "semi": ("#d55e00", "D", "learned, semi-supervised"),
}
_OTHERS = [("#cc79a7", "P"), ("#56b4e9", "X"), ("#e69f00", "*"), ("#f0e442", "p")]
_SHAPES = "soD^vP*X<>pdhH81"  # of augmentations, where several are compared: ink is for views then
_MOST_ROWS = 16  # that a legend has room for
_FILLED = {"rgb": "none", "ydbdr": "full", "lab": "left"}


def sweet_spot(records: Sequence[Record], title: str) -> Figure:
    """Draw linear-probe accuracy against held-out I_NCE, one point a run, chance and cap marked.

    Runs without I_NCE, of prediction or untrained, are in a strip of their own on the left.
    """
    figure = Figure(figsize=(6.4, 4.6), dpi=120)
    apart = list(dict.fromkeys(r.cell.row for r in records if r.i_nce is None))
    caps = {record.cap for record in records if record.cap is not None}
    ratios = [0.14 * len(apart)] * bool(apart) + [1.0] * bool(caps)
    axes = figure.subplots(1, len(ratios), sharey=True, width_ratios=ratios, squeeze=False)[0]
    strip, axis = axes[0], axes[-1]
    named: dict[str, Any] = {}
    for record, (style, name) in zip(records, _styles(records), strict=True):
        lone = record.i_nce is None
        across = apart.index(record.cell.row) if lone else record.i_nce
        (point,) = (strip if lone else axis).plot(across, 100 * record.score, **style)
        named.setdefault(name, point)
    if caps:
        cap = max(caps)
        axis.axvline(cap, color="#666666", linestyle=":", linewidth=1)
        axis.annotate(
            f"cap log K = {cap:.2f}",
            (cap, 0.03),
            xycoords=("data", "axes fraction"),
            rotation=90,
            ha="right",
            fontsize=9,
        )
        axis.set_xlabel("held-out I_NCE(v1; v2), nats", fontsize=11)
    if apart:
        strip.set_xlim(-0.6, len(apart) - 0.4)
        strip.set_xticks([])
        strip.set_xlabel("no contrast", fontsize=11)
    chance = 100 * records[0].chance
    strip.set_ylabel(f"{SCORES[records[0].judged_by]} (chance {chance:.0f})", fontsize=11)
    seeds = len({record.cell.seed for record in records})
    told = f"{title}, {seeds} seeds, n = {len(records)} runs"
    strip.set_title(told, fontsize=11, loc="left")
    for part in axes:
        part.grid(alpha=0.3)
    axis.legend(named.values(), named, fontsize=9, framealpha=0.9)
    figure.tight_layout()
    return figure


def _styles(records: Sequence[Record]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield how each record is drawn, and what a legend calls it: by what tells it from others."""
    kinds = list(dict.fromkeys(r.cell.views for r in records))
    variants = [v for v in kinds if v not in _MARKS]
    others = dict(zip(variants, itertools.cycle(_OTHERS), strict=False))
    augmentations = list(dict.fromkeys(r.cell.augmentation for r in records))
    several, one_color = len(augmentations) > 1, len({r.cell.color for r in records}) == 1
    for record in records:
        color, views, augmentation = record.cell.row
        ink, shape, label = _MARKS[views] if views in _MARKS else (*others[views], views)
        words = [label, color]
        if several:
            place = augmentations.index(augmentation)
            shape = _SHAPES[place % len(_SHAPES)]
            words = [
                *([label] if len(kinds) > 1 else []),
                *([] if one_color else [color]),
                augmentation,
            ]
            if len(kinds) == 1:
                ink = COLORS[place % len(COLORS)]
        style = {
            "marker": shape,
            "color": ink,
            "markersize": 8,
            "fillstyle": _FILLED.get(color, "full"),
            "markerfacecoloralt": "white",
            "markeredgewidth": 1.6,
            "linestyle": "none",
        }
        yield style, ", ".join(words)


@matplotlib.rc_context({"text.parse_math": False})  # names come from files
def rows(table: Comparison) -> Figure | None:
    """Draw accuracy against I_NCE, a mark a row with one deviation over its seeds to each side.

    None where no row has both.
    """
    found = [
        (i, row, x, y)
        for i, row in enumerate(table.rows[:_MOST_ROWS])
        if (x := row.spread(I_NCE)) and (y := row.score)
    ]
    if not found:
        return None
    figure = Figure(figsize=(6.4, 4.6), dpi=120, layout="constrained")
    axis = figure.subplots()
    for i, row, x, y in found:
        axis.errorbar(
            x.mean,
            y.mean,
            xerr=x.std,
            yerr=y.std,
            fmt=SHAPES[i % len(SHAPES)],
            color=COLORS[i % len(COLORS)],
            markersize=9,
            label=f"{i + 1} {cut(row.name, 40)}, n = {y.n}",
        )
    cap, chance = (table.protocol.get(f"result: {name}") for name in ("I_NCE cap", "chance"))
    if number(cap):
        axis.axvline(cap, color="#666666", linestyle=":", label=f"cap log K = {cap:.2f}")
    if number(chance):
        axis.axhline(100 * chance, color="#666666", linestyle="--", label="chance")
    axis.set_xlabel("held-out I_NCE(v1; v2), nats", fontsize=12)
    axis.set_ylabel(protocol_of(table.scored_by), fontsize=12)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=10, framealpha=0.9)
    return figure
