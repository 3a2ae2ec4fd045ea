"""Run all cells of Table 4 and write its table and figure: encoders keep what their views share.

    python studies/moving_mnist/table4.py
    python studies/moving_mnist/table4.py 'share=["digits.root=PATH","backgrounds.root=PATH"]'
    python studies/moving_mnist/table4.py 'seeds=[0,1,2]' jobs=2 'write=[docs/results.md]'

Each cell is a run of `scripts/share_factors.py`. Cells that finished before with the same settings
are not run again. Takes an hour on two cores with budget=small.
"""

import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Patch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # run as a file: find `studies`

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from infomin.cli.main import OVERRIDES, command, plain
from infomin.cli.report import grids_folder, run_grid, section
from infomin.core.path_options import override
from infomin.experiments import tables
from infomin.experiments.run_index import newest_run

UNITS = {"digit": "%", "background": "%", "position": "px"}
"""Units of errors, by factor, in the order of the paper's table."""
_DIGITS = {"%": 1, "px": 2}  # after the decimal point
# Okabe and Ito's colours, and a hatch for readers who do not see them
_BARS = {
    "shared": ("#d55e00", "", "shared by the views"),
    "other": ("#56b4e9", "//", "not shared"),
    "labels": ("#999999", "..", "trained on labels"),
}


@dataclass(frozen=True)
class FactorCell:
    """A cell of the grid: the shared factors and a seed.

    Attributes:
        shared: shared factors; none is the supervised row.
        seed: of weights and scenes.
        cells: folder of all cells.
    """

    shared: tuple[str, ...]
    seed: int
    cells: Path

    @property
    def row(self) -> str:
        """Name of the row of the table."""
        return ", ".join(self.shared) or "supervised"

    @property
    def folder(self) -> Path:
        """Folder of the cell's runs."""
        return self.cells / f"{'-'.join(self.shared) or 'supervised'}-s{self.seed}"

    @property
    def dependency(self) -> "FactorCell":
        """The cell itself: it depends on no other."""
        return self

    def command(self, overrides: Sequence[str]) -> list[str]:
        """Return the command line of the cell."""
        kind = f"shared=[{','.join(self.shared)}]" if self.shared else "supervised=true"
        options = [kind, *overrides, f"seed={self.seed}", override("out", self.folder)]
        return ["scripts/share_factors.py", *options]

    def __str__(self) -> str:
        return f"{self.row}, seed {self.seed}"


@dataclass(frozen=True)
class FactorRun:
    """The records of a finished cell."""

    cell: FactorCell
    result: Mapping[str, Any]
    provenance: Mapping[str, Any]

    @classmethod
    def read(cls, cell: FactorCell) -> "FactorRun":
        """Read the newest finished run of a cell."""
        run = newest_run(cell.folder / "share_factors")
        return cls(cell, run.result, run.provenance)

    def error(self, factor: str, kind: str = "error") -> float:
        """Return the error of a readout, or of chance with `kind="chance"`, in its unit."""
        scale = 100 if UNITS[factor] == "%" else 1
        return scale * float(self.result[f"{factor}_{kind}"])

    @property
    def minutes(self) -> float:
        """Wall time."""
        return float(self.result["seconds"]) / 60

    def __str__(self) -> str:
        errors = [f"{name} {self.error(name):.1f} {unit}" for name, unit in UNITS.items()]
        return f"{', '.join(errors)}, {self.minutes:.1f} min"


@command("table4")
def table4(cfg: DictConfig) -> None:
    """Run the cells that have not finished; write table and figure."""
    budget = HydraConfig.get().runtime.choices["budget"]
    folder = grids_folder(cfg) / "cells" / f"sharing-{budget}"
    overrides = [*plain(cfg.share), f"budget={budget}"]
    overrides += [word for word in OVERRIDES if word.startswith("budget.")]
    cells = make_cells(folder, plain(cfg.sharings), cfg.seeds)
    commands = {cell: [cell.command(overrides)] for cell in cells}
    run_grid(cfg, commands, lambda cell: str(FactorRun.read(cell)))
    runs = [FactorRun.read(cell) for cell in cells]
    rows = summarize(runs)
    typed = tables.shareable_command(["python studies/moving_mnist/table4.py", *OVERRIDES])
    text = f"{tables.markdown(rows)}\n\n{origin(runs, typed)}"
    figure = tables.write_report(
        grids_folder(cfg) / section(cfg), cfg.name, text, error_bars(runs, cfg.title), cfg.write
    )
    print(f"\n{tables.plain(rows)}\n\nfigure: {os.path.relpath(figure)}")
    print(f"runs of the cells: {os.path.relpath(folder)}")


def make_cells(
    folder: Path, sharings: Sequence[Sequence[str]], seeds: Sequence[int]
) -> list[FactorCell]:
    """Return all cells, seed by seed; an empty sharing is the supervised row."""
    return [FactorCell(tuple(shared), seed, folder) for seed in seeds for shared in sharings]


def summarize(runs: Sequence[FactorRun]) -> list[tables.TextRow]:
    """Return one row per sharing: errors, I_NCE, minutes, number of seeds; the last is chance."""
    rows = []
    for name, group in _by_row(runs).items():
        i_nce = [float(r.result["i_nce"]["value"]) for r in group if r.result["i_nce"]]
        row = {"views share": name}
        for factor, unit in UNITS.items():
            errors = [r.error(factor) for r in group]
            row[f"{factor} error, {unit}"] = tables.plus_minus(errors, _DIGITS[unit])
        row["I_NCE held out, nats"] = tables.plus_minus(i_nce, 2)
        row["minutes"] = f"{statistics.mean(r.minutes for r in group):.1f}"
        row["n"] = str(len(group))
        rows.append(row)
    chance = dict.fromkeys(rows[0], "-") | {"views share": "chance"}
    for factor, unit in UNITS.items():
        error = runs[0].error(factor, "chance")
        chance[f"{factor} error, {unit}"] = f"{error:.{_DIGITS[unit]}f}"
    return [*rows, chance]


def origin(runs: Sequence[FactorRun], command: str) -> str:
    """Return the sentences under the table: command, commits, hardware, data, cap."""
    data = sorted({f"{r.result['digits']} over {r.result['backgrounds']}" for r in runs})
    caps = sorted({f"{r.result['cap']:.2f}" for r in runs})
    images = sorted({f"{r.result['n']:,}" for r in runs})
    minutes = sum(r.minutes for r in runs)
    return (
        f"{tables.describe_runs(command, [r.provenance for r in runs], minutes)} "
        f"Errors of linear heads on the frozen backbone of single images, on {', '.join(images)} "
        f"test images; mean ± standard deviation over n seeds. I_NCE cap log K = "
        f"{', '.join(caps)}. {'; '.join(data)}."
    )


def error_bars(runs: Sequence[FactorRun], title: str) -> Figure:
    """Draw a panel per factor with one bar per sharing, and chance as a line."""
    groups = _by_row(runs)
    seeds = len({r.cell.seed for r in runs})
    figure = Figure(figsize=(10.5, 0.42 * len(groups) + 1.9), dpi=120, layout="constrained")
    axes = figure.subplots(1, len(UNITS), sharey=True)
    for axis, (factor, unit) in zip(axes, UNITS.items(), strict=True):
        errors = [[r.error(factor) for r in group] for group in groups.values()]
        sharings = [group[0].cell.shared for group in groups.values()]
        kinds = ["labels" if not s else "shared" if factor in s else "other" for s in sharings]
        axis.barh(
            range(len(groups)),
            [statistics.mean(values) for values in errors],
            xerr=[statistics.stdev(values) for values in errors] if seeds > 1 else None,
            color=[_BARS[kind][0] for kind in kinds],
            hatch=[_BARS[kind][1] for kind in kinds],
            edgecolor="black",
            linewidth=0.8,
            capsize=3,
        )
        chance, label = runs[0].error(factor, "chance"), {"ha": "center", "fontsize": 11}
        axis.axvline(chance, color="#333333", linestyle="--", linewidth=1.5)
        axis.text(chance, 1.02, f"chance {chance:.1f}", label, transform=axis.get_xaxis_transform())
        axis.set_xlim(0, 1.15 * max(chance, *(r.error(factor) for r in runs)))
        axis.set_xlabel(f"{factor} error, {unit}", fontsize=12)
        axis.tick_params(labelsize=11)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_yticks(range(len(groups)), list(groups))
    axes[0].invert_yaxis()
    legend = [
        Patch(facecolor=color, hatch=hatch, edgecolor="black", label=label)
        for color, hatch, label in _BARS.values()
    ]
    figure.legend(handles=legend, loc="outside lower center", ncols=3, fontsize=11, frameon=False)
    caption = f"{title}, {seeds} seeds, n = {len(runs)} runs"
    figure.suptitle(caption, fontsize=12, x=0.01, ha="left")
    return figure


def _by_row(runs: Sequence[FactorRun]) -> dict[str, list[FactorRun]]:
    names = dict.fromkeys(run.cell.row for run in runs)
    return {name: [run for run in runs if run.cell.row == name] for name in names}


if __name__ == "__main__":
    table4()
