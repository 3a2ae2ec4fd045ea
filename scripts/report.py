"""Run a grid of experiments, tabulate it and draw accuracy against I_NCE.

    python scripts/report.py experiment=demo
    python scripts/report.py experiment=table5 data=image_folder data.root=PATH
    python scripts/report.py experiment=table5 ... 'write=[docs/results.md]'

Cells that finished before with the same settings are not run again.
"""

import functools
import itertools
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
    rows = plain(cfg.rows) or [*itertools.product(cfg.colors, cfg.compare)]
    cells = grid.cells(runs, rows, cfg.seeds, plain(cfg.generators))
    common = [f"data={chosen.data}", f"budget={chosen.budget}"]
    common += [word for word in TOLD if word.startswith(("data.", "budget."))]
    told = (cfg.learn, cfg.pretrain, cfg.variants, cfg.augmentations)
    todo = {cell: grid.commands(cell, common, *map(plain, told)) for cell in cells}

    # Run what has not been run
    jobs = min(os.cpu_count() or 1, 4) if cfg.jobs == "auto" else cfg.jobs
    say = functools.partial(print, file=sys.stderr)
    records = grid.run(todo, settings, CONF.parent, jobs, say)

    # Table and figure
    table = tables.summary(records, plain(cfg.against))
    command = tables.shown(["python scripts/report.py", *TOLD])
    figure = folder / f"{cfg.name}.png"
    figures.sweet_spot(records, cfg.title).savefig(figure)
    text = f"{tables.markdown(table)}\n\n{tables.origin(records, command)}"
    files.write_bytes(folder / "table.md", text.encode())
    for document in cfg.write:
        tables.replace_section(Path(document), folder.name, text)
    if cfg.write:
        pictures = files.make_folder(Path(cfg.write[0]).parent / "images")
        shutil.copy(figure, pictures / f"{folder.name}.png")
    print(f"\n{tables.plain(table)}\n")
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
