"""Table 4 from its configuration: its cells, their commands, its table and figure."""

from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from infomin.cli import report as grids
from infomin.cli.main import TOLD, plain
from infomin.experiments import sharing as report
from infomin.experiments import tables
from infomin.experiments.grid.sharing import SharingRecord, cells, read


def run_cells(cfg: DictConfig) -> list[SharingRecord]:
    """Run what has not been run of a grid, and return what all of its cells recorded."""
    budget = HydraConfig.get().runtime.choices["budget"]
    runs = grids.grids_folder(cfg) / "cells" / f"sharing-{budget}"
    told = [*plain(cfg.share), f"budget={budget}"]
    told += [word for word in TOLD if word.startswith("budget.")]
    made = cells(runs, plain(cfg.sharings), cfg.seeds)
    grids.run_grid(cfg, {cell: [cell.command(told)] for cell in made}, lambda cell: str(read(cell)))
    return [read(cell) for cell in made]


def write(cfg: DictConfig, records: Sequence[SharingRecord]) -> tuple[str, Path]:
    """Write table and figure, into documents too where asked; return the table and the figure."""
    table = report.summary(records)
    text = f"{tables.markdown(table)}\n\n{report.origin(records, grids.command())}"
    figure = report.figure(records, cfg.title)
    folder = grids.grids_folder(cfg) / grids.section(cfg)
    return tables.plain(table), tables.write_report(folder, cfg.name, text, figure, cfg.write)
