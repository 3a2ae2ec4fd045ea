"""Table 4 as a table and as a figure: errors of three readouts, by what the views share."""

import statistics
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Patch

from infomin.experiments.grid.sharing import FACTORS, SharingRecord
from infomin.experiments.tables import TextRow, describe_runs, plus_minus

# Okabe and Ito's, and a hatch: told apart without colour as well
_KINDS = {
    "shared": ("#d55e00", "", "shared by the views"),
    "other": ("#56b4e9", "//", "not shared"),
    "labels": ("#999999", "..", "trained on labels"),
}


def summary(records: Sequence[SharingRecord]) -> list[TextRow]:
    """Return one row for each sharing: errors, I_NCE, minutes, seeds; chance last."""
    rows = []
    for name, group in _grouped(records).items():
        errors = {
            f"{factor} error, {unit}": plus_minus(
                [r.error(factor) for r in group], 1 if unit == "%" else 2
            )
            for factor, unit in FACTORS.items()
        }
        told = [r.i_nce for r in group if r.i_nce is not None]
        rows.append(
            {
                "views share": name,
                **errors,
                "I_NCE held out, nats": plus_minus(told, 2),
                "minutes": f"{statistics.mean(r.minutes for r in group):.1f}",
                "n": str(len(group)),
            }
        )
    chances = {
        f"{factor} error, {unit}": f"{records[0].chance(factor):.{1 if unit == '%' else 2}f}"
        for factor, unit in FACTORS.items()
    }
    nothing = dict.fromkeys(("I_NCE held out, nats", "minutes", "n"), "-")
    return [*rows, {"views share": "chance", **chances, **nothing}]


def origin(records: Sequence[SharingRecord], command: str) -> str:
    """Say where the table comes from: command, commits, hardware, data, caps."""
    data = sorted({f"{r.result['digits']} over {r.result['backgrounds']}" for r in records})
    caps = sorted({f"{r.result['cap']:.2f}" for r in records})
    images = sorted({f"{r.result['n']:,}" for r in records})
    minutes = sum(r.minutes for r in records)
    return (
        f"{describe_runs(command, [r.provenance for r in records], minutes)} "
        f"Errors of linear heads on the frozen backbone of single images, on {', '.join(images)} "
        f"test images; mean ± standard deviation over n seeds. I_NCE cap log K = "
        f"{', '.join(caps)}. {'; '.join(data)}."
    )


def figure(records: Sequence[SharingRecord], title: str) -> Figure:
    """Draw the errors of every readout, a bar for each sharing, and chance behind them."""
    groups = _grouped(records)
    drawn = Figure(figsize=(10.5, 0.42 * len(groups) + 1.9), dpi=120, layout="constrained")
    axes = drawn.subplots(1, len(FACTORS), sharey=True)
    for axis, (factor, unit) in zip(axes, FACTORS.items(), strict=True):
        for place, group in enumerate(groups.values()):
            errors = [r.error(factor) for r in group]
            shared = group[0].cell.shared
            kind = "labels" if not shared else "shared" if factor in shared else "other"
            ink, hatch, _ = _KINDS[kind]
            axis.barh(
                place,
                statistics.mean(errors),
                xerr=statistics.stdev(errors) if len(errors) > 1 else None,
                color=ink,
                hatch=hatch,
                edgecolor="black",
                linewidth=0.8,
                capsize=3,
            )
        chance = records[0].chance(factor)
        axis.axvline(chance, color="#333333", linestyle="--", linewidth=1.5)
        axis.annotate(
            f"chance {chance:.1f}",
            (chance, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=11,
        )
        axis.set_xlim(0, 1.15 * max(chance, *(r.error(factor) for r in records)))
        axis.set_xlabel(f"{factor} error, {unit}", fontsize=12)
        axis.tick_params(labelsize=11)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    axes[0].set_yticks(range(len(groups)), list(groups))
    axes[0].invert_yaxis()
    kinds = [Patch(facecolor=i, hatch=h, edgecolor="black", label=t) for i, h, t in _KINDS.values()]
    drawn.legend(handles=kinds, loc="outside lower center", ncols=3, fontsize=11, frameon=False)
    seeds = len({record.cell.seed for record in records})
    drawn.suptitle(
        f"{title}, {seeds} seeds, n = {len(records)} runs", fontsize=12, x=0.01, ha="left"
    )
    return drawn


def _grouped(records: Sequence[SharingRecord]) -> dict[str, list[SharingRecord]]:
    groups: dict[str, list[SharingRecord]] = {}
    for record in records:
        groups.setdefault(record.cell.row, []).append(record)
    return groups
