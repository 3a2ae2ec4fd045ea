"""What all grids of experiments have in common: running their cells, and writing what was found."""

import functools
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hydra import compose
from matplotlib.figure import Figure
from omegaconf import DictConfig

from infomin.cli.main import CONF, TOLD, plain
from infomin.core import files
from infomin.experiments import tables
from infomin.experiments.grid import running


def reports(cfg: DictConfig) -> Path:
    """Return the folder of all grids."""
    return Path(cfg.out).absolute() / "report"


def run(
    cfg: DictConfig,
    todo: Mapping[running.C, Sequence[running.Line]],
    tell: Callable[[running.C], str],
) -> None:
    """Run what has not been run of cells, as many at a time as there are cores, 4 at most."""
    for document in cfg.write:  # not after hours
        tables.around_section(Path(document), section(cfg))
    jobs = min(os.cpu_count() or 1, 4) if cfg.jobs == "auto" else cfg.jobs
    say = functools.partial(print, file=sys.stderr)
    running.run(todo, settings, CONF.parent, jobs, say, tell)


def settings(line: Sequence[str]) -> running.Settings:
    """Return what a command line means, with all defaults of `conf/`.

    What a budget holds stands where it is used; the rest of it is other scripts' affair.
    """
    script, *overrides = line
    found = plain(compose(Path(script).stem, overrides))
    found.pop("budget", None)
    return found


def section(cfg: DictConfig) -> str:
    """Return what a grid is called in documents and as a folder."""
    return f"{cfg.name}-{cfg.budget.name}"


def command() -> str:
    """Return the command that was typed, as documents show it."""
    return tables.shown(["python scripts/report.py", *TOLD])


def write(cfg: DictConfig, text: str, figure: Figure) -> Path:
    """Write table and figure, into documents too where asked; return the path of the figure."""
    folder = files.make_folder(reports(cfg) / section(cfg))
    drawn = folder / f"{cfg.name}.png"
    files.write(drawn, functools.partial(figure.savefig, format="png"))
    files.write_bytes(folder / "table.md", text.encode())
    for document in cfg.write:
        tables.replace_section(Path(document), folder.name, text)
    if cfg.write:
        pictures = files.make_folder(Path(cfg.write[0]).parent / "images")
        shutil.copy(drawn, pictures / f"{folder.name}.png")
    return drawn
