"""Tables and figures of evaluations: calibration of I_NCE, probe of known factors, segmentation."""

from collections.abc import Collection, Sequence
from typing import Any

import matplotlib
import torch
from einops import rearrange
from jaxtyping import Float, Integer, Num
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from torch import Tensor

from infomin.augment import as_float
from infomin.data.nyuv2 import IGNORED
from infomin.evaluation import FactorReadout
from infomin.evaluation.calibration import CaseResult
from infomin.experiments.tables import TextRow
from infomin.information.bounds import to_bits

# Okabe and Ito's colors and a hatch: bars differ without color too
_SHARED, _OTHER = ("#d55e00", "", "shared by the views"), ("#56b4e9", "//", "not shared")
_MOST_NAMES = 14  # of classes in the legend, the most frequent ones


def calibration_table(rows: Sequence[CaseResult], bits: bool = False) -> list[TextRow]:
    """Return one row per case, in nats or bits; see `evaluation.calibration`."""

    def text(nats: float) -> str:
        return f"{to_bits(nats) if bits else nats:.2f}"

    return [
        {
            "pairs": row.name,
            f"true, {'bits' if bits else 'nats'}": text(row.truth),
            "estimated": text(row.learned.value),
            "sampling interval, 95 %": f"{text(row.learned.low)} to {text(row.learned.high)}",
            "best critic": text(row.best.value) if row.best else "-",
            "cap": text(row.learned.cap),
            "flags": ", ".join(row.learned.flags) or "-",
        }
        for row in rows
    ]


def calibration_figure(rows: Sequence[CaseResult]) -> Figure:
    """Draw every estimate with its interval and its cap against the truth."""
    figure = Figure(figsize=(5.2, 4.6), dpi=120)
    axis = figure.subplots()
    truth, learned = [row.truth for row in rows], [row.learned for row in rows]
    caps = [each.cap for each in learned]
    highest = 1.05 * max(*caps, *truth)
    axis.plot([0, highest], [0, highest], color="#666666", linewidth=1, label="true = estimated")
    values = [each.value for each in learned]
    interval = [[e.value - e.low for e in learned], [e.high - e.value for e in learned]]
    bars: Any = {"fmt": "o", "color": "#0072b2", "capsize": 3, "label": "learned critic"}
    axis.errorbar(truth, values, interval, **bars)
    axis.plot(truth, caps, "_", color="#666666", markersize=12, label="cap log K")
    best = [(row.truth, row.best.value) for row in rows if row.best]
    axis.plot(
        [x for x, _ in best],
        [y for _, y in best],
        "x",
        color="#d55e00",
        markersize=8,
        label="best critic",
    )
    axis.set(xlim=(0, highest), ylim=(0, highest))
    axis.set_xlabel("true I(x; y), nats", fontsize=11)
    axis.set_ylabel("estimated I_NCE, nats", fontsize=11)
    noun = "distribution" if len(rows) == 1 else "distributions"
    axis.set_title(f"Calibration, {len(rows)} {noun}", fontsize=11, loc="left")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=9, loc="lower right")
    figure.tight_layout()
    return figure


def audit_rows(readouts: Sequence[FactorReadout]) -> list[TextRow]:
    """Return one row per factor: error, chance, survival, and number of test images."""
    return [
        {
            "factor": r.factor,
            "error": _with_unit(r.error, r.unit),
            "chance": _with_unit(r.chance, r.unit),
            "survival": f"{r.score:.2f}",
            "n": str(r.n),
        }
        for r in readouts
    ]


@matplotlib.rc_context({"text.parse_math": False})  # names come from data
def audit_chart(
    readouts: Sequence[FactorReadout], title: str, shared: Collection[str] | None = None
) -> Figure:
    """Draw the survival of every factor from chance (0) to perfect (1), with its error beside it.

    Arguments:
        readouts: of one encoder.
        title: above the chart, before the number of test images.
        shared: factors that the views share, drawn in another color; None draws all alike.
    """
    figure = Figure(figsize=(7.2, 0.6 * len(readouts) + 2), dpi=120)
    axis = figure.subplots()
    for place, r in enumerate(readouts):
        color, hatch, _ = _SHARED if shared is None or r.factor in shared else _OTHER
        axis.barh(place, r.score, color=color, hatch=hatch, edgecolor="black", linewidth=0.8)
        text = f"{_with_unit(r.error, r.unit)} (chance {_with_unit(r.chance, r.unit)})"
        beside: Any = {"xytext": (6, 0), "textcoords": "offset points", "va": "center"}
        axis.annotate(text, (max(r.score, 0), place), fontsize=12, **beside)
    axis.axvline(0, color="black", linewidth=2)
    axis.axvline(1, color="#666666", linewidth=1, linestyle=":")
    axis.set_yticks(range(len(readouts)), [r.factor for r in readouts], fontsize=14)
    below = 1.2 if shared is not None else 0.6  # room for the legend
    axis.set_ylim(len(readouts) - 1 + below, -0.6)
    # room for the text beside the longest bar
    axis.set_xlim(min(-0.05, *(r.score for r in readouts)) - 0.02, 1.75)
    axis.set_xticks([0, 0.5, 1], ["0 chance", "0.5", "1 perfect"], fontsize=12)
    axis.set_xlabel("survival = 1 - error / chance, no unit", fontsize=13)
    numbers = ", ".join(sorted({f"{r.n:,}" for r in readouts}))
    axis.set_title(f"{title}, n = {numbers} test images", fontsize=13, loc="left")
    if shared is not None:
        kinds = [
            Patch(facecolor=color, hatch=hatch, edgecolor="black", label=label)
            for color, hatch, label in (_SHARED, _OTHER)
        ]
        axis.legend(handles=kinds, fontsize=12, loc="lower left", ncols=2, frameon=False)
    axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    return figure


def segmentation_picture(
    images: Num[Tensor, "b c h w"],
    truth: Integer[Tensor, "b h w"],
    guess: Integer[Tensor, "b h w"],
    classes: Sequence[str],
    title: str = "",
) -> Figure:
    """Draw frames, true and predicted classes below one another; unlabelled pixels are white.

    Arguments:
        images: R, G, B first.
        truth: labels, `IGNORED` for none.
        guess: predicted labels.
        classes: class names.
        title: above the picture.
    """
    colors = _class_colors(len(classes))
    rows = {
        "frame": rearrange(as_float(images[:, :3]), "b c h w -> b h w c"),
        "truth": colors[truth.long().clamp(max=len(classes))],
        "guess": colors[guess.long()],
    }
    height, width = images.shape[2:]
    size = (1.6 * len(images) + 0.6, 3 * 1.6 * height / width + 0.9)
    layout = ConstrainedLayoutEngine(h_pad=0.02, w_pad=0.02, hspace=0, wspace=0)
    figure = Figure(figsize=size, dpi=110, layout=layout)
    axes = figure.subplots(len(rows), len(images), squeeze=False)
    for line, (name, pictures) in zip(axes, rows.items(), strict=True):
        line[0].set_ylabel(name, fontsize=8)
        for axis, picture in zip(line, pictures, strict=True):
            axis.imshow(picture.cpu().numpy(), interpolation="nearest")
            axis.set(xticks=[], yticks=[])
    seen = torch.bincount(torch.cat([truth[truth != IGNORED].long(), guess.flatten().long()]))
    frequent = [i for i in seen.argsort(descending=True).tolist() if seen[i]][:_MOST_NAMES]
    marks = [
        Patch(color=tuple(colors[i].tolist()), label=classes[i].replace("_", " ")) for i in frequent
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=7, fontsize=7, frameon=False)
    figure.suptitle(title, fontsize=9, x=0.01, ha="left")
    return figure


def _class_colors(classes: int) -> Float[Tensor, "k 3"]:
    """Return a color per class, then white for unlabelled pixels."""
    maps = [matplotlib.colormaps[name] for name in ("tab20", "tab20b", "tab20c")]
    cycle = [color for colors in maps for color in colors(range(20))[:, :3].tolist()]
    return torch.tensor([cycle[i % len(cycle)] for i in range(classes)] + [[1.0, 1.0, 1.0]])


def _with_unit(error: float, unit: str) -> str:
    """Return an error with its unit; errors of classes in per cent."""
    return f"{100 * error:.1f} %" if unit == "%" else f"{error:.2f} {unit}".strip()
