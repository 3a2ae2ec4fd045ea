"""A grid of experiments from its configuration: its cells, their commands, its table and figure."""

import functools
import itertools
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cli import CONF, TOLD, plain
from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from infomin import errors, files
from infomin.report import figures, sweep, tables
from infomin.report.grid import cells, running
from infomin.report.grid.records import Record, read


def run_cells(cfg: DictConfig) -> list[Record]:
    """Run what has not been run of a grid, and return what all of its cells recorded."""
    errors.one_of("by", cfg.by, ("linear_eval", "segment"))
    if cfg.by == "segment" and not cfg.judge:
        raise errors.InputError(
            'judge: expected the data of the segmentation, such as \'judge=["data.root=PATH"]\''
        )
    chosen = HydraConfig.get().runtime.choices
    runs = _reports(cfg) / "cells" / f"{chosen.data}-{chosen.budget}"  # shared by all grids
    rows = plain(cfg.rows) or [*itertools.product(cfg.colors, cfg.compare)]
    made = cells.cells(runs, rows, cfg.seeds, plain(cfg.generators))
    common = [f"data={chosen.data}", f"budget={chosen.budget}"]
    common += [word for word in TOLD if word.startswith(("data.", "budget."))]
    told = (cfg.learn, cfg.pretrain, cfg.variants, cfg.augmentations, cfg.judge)
    todo = {cell: cells.commands(cell, common, *map(plain, told), cfg.by) for cell in made}
    judge = cfg.by if cfg.judge else None
    run(cfg, todo, lambda cell: str(read(cell, judge)))
    return [read(cell, judge) for cell in made]


def run(
    cfg: DictConfig,
    todo: Mapping[running.C, Sequence[running.Line]],
    tell: Callable[[running.C], str],
) -> None:
    """Run what has not been run of cells, as many at a time as there are cores, 4 at most."""
    jobs = min(os.cpu_count() or 1, 4) if cfg.jobs == "auto" else cfg.jobs
    say = functools.partial(print, file=sys.stderr)
    running.run(todo, settings, CONF.parent, jobs, say, tell)


def settings(line: Sequence[str]) -> str:
    """Return what a command line means, with all defaults of `conf/`."""
    script, *overrides = line
    return OmegaConf.to_yaml(compose(Path(script).stem, overrides), resolve=True)


def write(cfg: DictConfig, records: Sequence[Record]) -> tuple[str, Path]:
    """Write table and figure, into documents too where asked; return the table and the figure."""
    folder = files.make_folder(_reports(cfg) / f"{cfg.name}-{cfg.budget.name}")
    table = tables.summary(records, plain(cfg.against))
    command = tables.shown(["python scripts/report.py", *TOLD])
    figure = folder / f"{cfg.name}.png"
    text = f"{tables.markdown(table)}\n\n{tables.origin(records, command)}"
    shown = tables.plain(table)
    if cfg.sweep:
        found = sweep.turning(records)
        sweep.figure(records, cfg.title, found).savefig(figure)
        text, shown = f"{text}\n\nT{str(found)[1:]}.", f"{shown}\n\n{found}"
    else:
        figures.sweet_spot(records, cfg.title).savefig(figure)
    files.write_bytes(folder / "table.md", text.encode())
    for document in cfg.write:
        tables.replace_section(Path(document), folder.name, text)
    if cfg.write:
        pictures = files.make_folder(Path(cfg.write[0]).parent / "images")
        shutil.copy(figure, pictures / f"{folder.name}.png")
    return shown, figure


def _reports(cfg: DictConfig) -> Path:
    return Path(cfg.out).absolute() / "report"
