"""Show the runs of a folder on one page, or run a grid of experiments and report its results.

    python scripts/report.py runs=runs
    python scripts/report.py experiment=demo
    python scripts/report.py experiment=table5 data=image_folder data.root=PATH
    python scripts/report.py experiment=table5 ... 'write=[docs/results.md]'

The page is `report/page/report.html` in that folder, a single file. A grid runs only cells that
have not finished with the same settings.
"""

import functools
import itertools
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from infomin.cli import CONF
from infomin.cli.build import plan_pretraining
from infomin.cli.learn_views import plan_game
from infomin.cli.main import OVERRIDES, command, plain
from infomin.core.errors import InputError, one_of
from infomin.core.names import file_name
from infomin.core.path_options import for_hydra, has_paths, override
from infomin.experiments import figures, page, tables
from infomin.experiments.grid import cells, launchers, records, scheduler
from infomin.experiments.grid.progress import GridProgress
from infomin.experiments.grid.task import C, Command, Settings
from infomin.experiments.sweet_spot import find_sweet_spot


@command("report")
def report(cfg: DictConfig) -> None:
    """Write a page of runs, or run a grid and write its table and figure."""
    if (cfg.runs is None) != bool(cfg.get("name")):
        raise InputError(
            "runs, experiment: expected one of them, a folder such as runs=runs or a grid such as "
            f"experiment=demo or =table5, got {'neither' if cfg.runs is None else 'both'}"
        )
    if cfg.runs is not None:
        to = None if cfg.to is None else Path(cfg.to)
        print(f"page: {os.path.relpath(page.write(Path(cfg.runs), to, typed_command()))}")
        return
    finished = run_pretrainings(cfg)
    table, figure = write_pretrainings(cfg, finished)
    print(f"\n{table}\n\nfigure: {os.path.relpath(figure)}")
    for record in finished:
        if record.cell.seed == cfg.seeds[0]:
            print(f"picture of the views {record.cell}: {os.path.relpath(record.picture)}")


def run_pretrainings(cfg: DictConfig) -> list[records.CellRecord]:
    """Run the unfinished cells of a grid of pretrainings, and return the records of all cells."""
    one_of("by", cfg.by, ("linear_eval", "segment"))
    if cfg.by == "segment" and not cfg.judge:
        raise InputError(
            "judge: expected the data of the segmentation, such as 'judge=[\"data.root=PATH\"]', "
            "got none"
        )
    groups = HydraConfig.get().runtime.choices
    folder = grids_folder(cfg) / "cells" / cells_name(cfg, groups["data"], groups["budget"])
    rows = plain(cfg.rows) or [*itertools.product(cfg.colors, cfg.compare)]
    grid = cells.cells(folder, rows, cfg.seeds, plain(cfg.generators))
    common = [f"data={groups['data']}", f"budget={groups['budget']}"]
    for word in HydraConfig.get().overrides.task:
        name = word.partition("=")[0]
        if name.startswith(("data.", "budget.")):
            value = plain(OmegaConf.select(cfg, name)) if has_paths(name) else None
            common.append(word if value is None else override(name, value))
    names = ("learn", "pretrain", "variants", "augmentations", "judge", "by", "judges")
    options = {name: plain(cfg[name]) for name in names}
    todo = {cell: cells.commands(cell, common=common, **options) for cell in grid}
    read = functools.partial(records.read_cell, evaluation=cfg.by if cfg.judge else None)
    run_grid(cfg, todo, lambda cell: str(read(cell)))
    return [read(cell) for cell in grid]


def write_pretrainings(cfg: DictConfig, finished: Sequence[records.CellRecord]) -> tuple[str, Path]:
    """Write table and figure of a grid of pretrainings; return the table as text, and the figure.

    A sweep also has the sweet spot, below the table and in the figure.
    """
    rows = records.summary(finished, plain(cfg.against))
    text = f"{tables.markdown(rows)}\n\n{records.origin(finished, typed_command())}"
    table, shown, spot = records.result_table(finished), tables.plain(rows), None
    if cfg.sweep:
        word = "mean IoU" if table.kind == "segment" else "accuracy"
        spot = find_sweet_spot(records.runs_by_setting(finished), score=word)
        text, shown = f"{text}\n\nT{str(spot)[1:]}.", f"{shown}\n\n{spot}"
    seeds = f"{len(cfg.seeds)} seed{'s' * (len(cfg.seeds) != 1)}"
    title = f"{cfg.title}, {seeds}, n = {len(finished)} runs"
    figure = figures.accuracy_figure(table, title, spot=spot)
    folder = grids_folder(cfg) / section(cfg)
    return shown, tables.write_report(folder, cfg.name, text, figure, cfg.write)


def run_grid(
    cfg: DictConfig,
    todo: Mapping[C, Sequence[Command]],
    describe: Callable[[C], str],
) -> None:
    """Run the unfinished cells of a grid, with the launcher that was chosen."""
    for document in cfg.write:  # a missing marker is refused before hours of work
        tables.split_section(Path(document), section(cfg))
    one_of("launcher", cfg.launcher, launchers.LAUNCHERS)
    here = cfg.launcher == "local"
    most = min(os.cpu_count() or 1, 4) if here else len(todo)
    jobs = most if cfg.jobs == "auto" else cfg.jobs
    scheduler.run(
        todo,
        resolve=settings,
        launcher=(
            launchers.Local(CONF.parent, jobs)
            if here
            else launchers.Slurm(CONF.parent, grids_folder(cfg) / "jobs", plain(cfg.slurm) or {})
        ),
        jobs=jobs,
        progress=GridProgress(sys.stderr),
        describe=describe,
        check=check,
    )


def check(words: Sequence[str]) -> None:
    """Refuse a command of a grid that is known to fail; called before the first cell runs.

    Raises:
        InputError: for a wrong configuration; names the command.
    """
    checks = {"pretrain": plan_pretraining, "learn_views": plan_game}
    try:
        if checked := checks.get(Path(words[0]).stem):
            checked(composed(tuple(words)))
    except InputError as error:
        raise InputError(f"{error} (in the cell {shlex.join(words)})") from None


@functools.cache
def composed(words: tuple[str, ...]) -> DictConfig:
    """Return the whole configuration of a command."""
    script, *overrides = words
    name = Path(script).stem
    name = "evaluate" if name == "linear_eval" else name
    return compose(name, [for_hydra(word) for word in overrides])


def settings(words: Sequence[str]) -> Settings:
    """Return the resolved settings of a command, with all defaults of `conf/`.

    The values of a budget stand where they are used. The rest of it belongs to other scripts.
    """
    left_out = ("budget", "false_color")  # which changes no number
    return {k: v for k, v in plain(composed(tuple(words))).items() if k not in left_out}


def grids_folder(cfg: DictConfig) -> Path:
    """Return the folder of all grids."""
    return Path(cfg.out).absolute() / "report"


def cells_name(cfg: DictConfig, data: str, budget: str) -> str:
    """Return the name of the folder of cells.

    Grids over the same data and budget share it. A grid that overrides all its cells has its own:
    its cells differ from those of other grids with the same names.
    """
    own = [cfg.name] if cfg.learn or cfg.pretrain else []
    return file_name("-".join([data, budget, *own]))


def section(cfg: DictConfig) -> str:
    """Return the name of a grid in documents and of its folder."""
    return file_name(f"{cfg.name}-{cfg.budget.name}")


def typed_command() -> str:
    """Return the command that was typed, as documents show it."""
    return tables.shareable_command(["python scripts/report.py", *OVERRIDES])
