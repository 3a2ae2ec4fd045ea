"""The calibration of I_NCE as a table and a figure: what is true against what is estimated."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from infomin.evaluation.calibration import CaseResult
from infomin.information.bounds import to_bits


def table(rows: Sequence[CaseResult], bits: bool = False) -> list[dict[str, str]]:
    """Return one line a case, in nats or bits; see `evaluation.calibration`."""
    unit = "bits" if bits else "nats"

    def shown(nats: float) -> str:
        return f"{to_bits(nats) if bits else nats:.2f}"

    return [
        {
            "pairs": row.name,
            f"true, {unit}": shown(row.truth),
            "estimated": shown(row.learned.value),
            "95 % interval": f"{shown(row.learned.low)} to {shown(row.learned.high)}",
            "best critic": shown(row.best.value) if row.best else "-",
            "cap": shown(row.learned.cap),
            "saturated": "yes" if row.learned.saturated else "no",
        }
        for row in rows
    ]


def figure(rows: Sequence[CaseResult]) -> Figure:
    """Draw estimates with their intervals against the truth, and the cap of each."""
    drawn = Figure(figsize=(5.2, 4.6), dpi=120)
    axis = drawn.subplots()
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
    what = "distribution" if len(rows) == 1 else "distributions"
    axis.set_title(f"Calibration, {len(rows)} {what}", fontsize=11, loc="left")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=9, loc="lower right")
    drawn.tight_layout()
    return drawn
