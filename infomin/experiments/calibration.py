"""The calibration of I_NCE as a table and a figure: estimated against true information."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from infomin.evaluation.calibration import CaseResult
from infomin.information.bounds import to_bits


def table(rows: Sequence[CaseResult], bits: bool = False) -> list[dict[str, str]]:
    """Return one row per case, in nats or bits; see `evaluation.calibration`."""
    unit = "bits" if bits else "nats"

    def text(nats: float) -> str:
        return f"{to_bits(nats) if bits else nats:.2f}"

    return [
        {
            "pairs": row.name,
            f"true, {unit}": text(row.truth),
            "estimated": text(row.learned.value),
            "95 % interval": f"{text(row.learned.low)} to {text(row.learned.high)}",
            "best critic": text(row.best.value) if row.best else "-",
            "cap": text(row.learned.cap),
            "saturated": "yes" if row.learned.saturated else "no",
        }
        for row in rows
    ]


def figure(rows: Sequence[CaseResult]) -> Figure:
    """Draw every estimate with its interval and its cap against the truth."""
    drawing = Figure(figsize=(5.2, 4.6), dpi=120)
    axis = drawing.subplots()
    caps = [row.learned.cap for row in rows]
    highest = 1.05 * max(*caps, *(row.truth for row in rows))
    axis.plot([0, highest], [0, highest], color="#666666", linewidth=1, label="true = estimated")
    truth, value = [r.truth for r in rows], [r.learned.value for r in rows]
    interval = [
        [r.learned.value - r.learned.low for r in rows],
        [r.learned.high - r.learned.value for r in rows],
    ]
    axis.errorbar(
        truth, value, interval, fmt="o", color="#0072b2", capsize=3, label="learned critic"
    )
    axis.plot(truth, caps, "_", color="#666666", markersize=12, label="cap log K")
    known = [r for r in rows if r.best]
    axis.plot(
        [r.truth for r in known],
        [r.best.value for r in known if r.best],
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
    drawing.tight_layout()
    return drawing
