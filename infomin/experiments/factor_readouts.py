"""The probe of known factors as a table and as a bar chart."""

from collections.abc import Collection, Sequence

import matplotlib
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from infomin.evaluation import FactorReadout
from infomin.experiments.tables import TextRow

# Okabe and Ito's colors and a hatch: bars differ without color too
_SHARED, _OTHER = ("#d55e00", "", "shared by the views"), ("#56b4e9", "//", "not shared")


def audit_rows(survivals: Sequence[FactorReadout]) -> list[TextRow]:
    """Return one row per factor: error, chance, survival, and number of test images."""
    return [
        {
            "factor": s.factor,
            "error": _with_unit(s.error, s.unit),
            "chance": _with_unit(s.chance, s.unit),
            "survival": f"{s.score:.2f}",
            "n": str(s.n),
        }
        for s in survivals
    ]


@matplotlib.rc_context({"text.parse_math": False})  # names come from data
def audit_chart(
    survivals: Sequence[FactorReadout], title: str, shared: Collection[str] | None = None
) -> Figure:
    """Draw the survival of every factor from chance (0) to perfect (1), with its error beside it.

    Arguments:
        survivals: of one encoder.
        title: above the chart, before the number of test images.
        shared: factors that the views share, drawn in another color; None draws all alike.
    """
    figure = Figure(figsize=(7.2, 0.6 * len(survivals) + 2), dpi=120)
    axis = figure.subplots()
    places = range(len(survivals))
    for place, s in zip(places, survivals, strict=True):
        color, hatch, _ = _SHARED if shared is None or s.factor in shared else _OTHER
        axis.barh(place, s.score, color=color, hatch=hatch, edgecolor="black", linewidth=0.8)
        axis.annotate(
            f"{_with_unit(s.error, s.unit)} (chance {_with_unit(s.chance, s.unit)})",
            (max(s.score, 0), place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=12,
        )
    axis.axvline(0, color="black", linewidth=2)
    axis.axvline(1, color="#666666", linewidth=1, linestyle=":")
    axis.set_yticks(list(places), [s.factor for s in survivals], fontsize=14)
    below = 1.2 if shared is not None else 0.6  # room for the legend
    axis.set_ylim(len(survivals) - 1 + below, -0.6)
    # room for the text beside the longest bar
    axis.set_xlim(min(-0.05, *(s.score for s in survivals)) - 0.02, 1.75)
    axis.set_xticks([0, 0.5, 1], ["0 chance", "0.5", "1 perfect"], fontsize=12)
    axis.set_xlabel("survival = 1 - error / chance, no unit", fontsize=13)
    numbers = ", ".join(sorted({f"{s.n:,}" for s in survivals}))
    axis.set_title(f"{title}, n = {numbers} test images", fontsize=13, loc="left")
    if shared is not None:
        kinds = [
            Patch(facecolor=color, hatch=hatch, edgecolor="black", label=label)
            for color, hatch, label in (_SHARED, _OTHER)
        ]
        axis.legend(handles=kinds, fontsize=12, loc="lower left", ncols=2, frameon=False)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    figure.tight_layout()
    return figure


def _with_unit(error: float, unit: str) -> str:
    """Return an error with its unit; errors of classes in per cent."""
    return f"{100 * error:.1f} %" if unit == "%" else f"{error:.2f} {unit}".strip()
