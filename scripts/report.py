"""Run a grid of experiments, tabulate it and draw accuracy against I_NCE.

    python scripts/report.py experiment=demo
    python scripts/report.py experiment=table5 data=image_folder data.root=PATH
    python scripts/report.py experiment=table5 ... 'write=[docs/results.md]'

Cells that finished before with the same settings are not run again.
"""

import functools
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from cli import CONF, TOLD, main, plain
from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from infomin import files
from infomin.errors import InputError
from infomin.report import figures, grid, tables


@main("report")
def report(cfg: DictConfig) -> None:
    """Run, tabulate, draw."""
    # The cells, and the commands of each
    if not cfg.get("name"):
        raise InputError("experiment: expected a grid, such as experiment=demo or =table5")
    reports, chosen = Path(cfg.out).absolute() / "report", HydraConfig.get().runtime.choices
    folder = files.make_folder(reports / f"{cfg.name}-{cfg.budget.name}")
    runs = reports / "cells" / f"{chosen.data}-{chosen.budget}"  # shared by all grids
    cells = grid.cells(runs, cfg.colors, cfg.compare, cfg.seeds)
    common = [f"data={chosen.data}", f"budget={chosen.budget}"]
    common += [word for word in TOLD if word.startswith(("data.", "budget."))]
    told = (common, plain(cfg.learn), plain(cfg.pretrain), plain(cfg.variants))
    todo = {cell: grid.commands(cell, *told) for cell in cells}

    # Run what has not been run
    jobs = min(os.cpu_count() or 1, 4) if cfg.jobs == "auto" else cfg.jobs
    say = functools.partial(print, file=sys.stderr)
    records = grid.run(todo, settings, CONF.parent, jobs, say)

    # Table and figure
    rows = tables.summary(records, plain(cfg.against))
    command = tables.shown(["python scripts/report.py", *TOLD])
    figure = folder / f"{cfg.name}.png"
    figures.sweet_spot(records, cfg.title).savefig(figure)
    text = f"{tables.markdown(rows)}\n\n{tables.origin(records, command)}"
    files.write_bytes(folder / "table.md", text.encode())
    for document in cfg.write:
        tables.replace_section(Path(document), folder.name, text)
    if cfg.write:
        pictures = files.make_folder(Path(cfg.write[0]).parent / "images")
        shutil.copy(figure, pictures / f"{folder.name}.png")
    print(f"\n{tables.plain(rows)}\n")
    print(f"figure of accuracy against I_NCE: {os.path.relpath(figure)}")
    for record in records:
        if record.cell.seed == cfg.seeds[0]:
            print(f"picture of the views {record.cell}: {os.path.relpath(record.picture)}")


def settings(line: Sequence[str]) -> str:
    """Return what a command line means, with all defaults of `conf/`."""
    script, *overrides = line
    return OmegaConf.to_yaml(compose(Path(script).stem, overrides), resolve=True)


if __name__ == "__main__":
    report()
