"""A grid of pretrainings from its configuration: cells, commands, table and figure."""

import itertools
from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from infomin.cli import gridding
from infomin.cli.main import TOLD, plain
from infomin.core.errors import InputError, one_of
from infomin.experiments import figures, sweep, tables
from infomin.experiments.grid import cells
from infomin.experiments.grid.records import Record, read


def run_cells(cfg: DictConfig) -> list[Record]:
    """Run what has not been run of a grid, and return what all of its cells recorded."""
    one_of("by", cfg.by, ("linear_eval", "segment"))
    if cfg.by == "segment" and not cfg.judge:
        raise InputError(
            "judge: expected the data of the segmentation, such as 'judge=[\"data.root=PATH\"]'"
        )
    chosen = HydraConfig.get().runtime.choices
    runs = gridding.reports(cfg) / "cells" / shared(cfg, chosen.data, chosen.budget)
    rows = plain(cfg.rows) or [*itertools.product(cfg.colors, cfg.compare)]
    made = cells.cells(runs, rows, cfg.seeds, plain(cfg.generators))
    common = [f"data={chosen.data}", f"budget={chosen.budget}"]
    common += [word for word in TOLD if word.startswith(("data.", "budget."))]
    told = (cfg.learn, cfg.pretrain, cfg.variants, cfg.augmentations, cfg.judge)
    judged = (cfg.by, plain(cfg.judges))
    todo = {cell: cells.commands(cell, common, *map(plain, told), *judged) for cell in made}
    judge = cfg.by if cfg.judge else None
    gridding.run(cfg, todo, lambda cell: str(read(cell, judge)))
    return [read(cell, judge) for cell in made]


def shared(cfg: DictConfig, data: str, budget: str) -> str:
    """Return the folder of cells that a grid shares with others, or of one that changes them all.

    Names of rows then mean something else: it would run the cells of others again, and they its.
    """
    own = [cfg.name] if cfg.learn or cfg.pretrain else []
    return "-".join([data, budget, *own])


def write(cfg: DictConfig, records: Sequence[Record]) -> tuple[str, Path]:
    """Write table and figure, into documents too where asked; return the table and the figure."""
    table = tables.summary(records, plain(cfg.against))
    text = f"{tables.markdown(table)}\n\n{tables.origin(records, gridding.command())}"
    shown = tables.plain(table)
    if not cfg.sweep:
        return shown, gridding.write(cfg, text, figures.sweet_spot(records, cfg.title))
    found = sweep.turning(records)
    drawn = sweep.figure(records, cfg.title, found)
    return f"{shown}\n\n{found}", gridding.write(cfg, f"{text}\n\nT{str(found)[1:]}.", drawn)
