"""Show the runs of a folder on one page, or run a grid of experiments and tabulate it.

    python scripts/report.py runs=runs
    python scripts/report.py experiment=demo
    python scripts/report.py experiment=table5 data=image_folder data.root=PATH
    python scripts/report.py experiment=table5 ... 'write=[docs/results.md]'

The page is `report/page/report.html` in that folder, whole in itself. Of a grid, cells that
finished before with the same settings are not run again.
"""

import os
from pathlib import Path

from omegaconf import DictConfig

from infomin.cli import comparing
from infomin.cli.main import TOLD, main
from infomin.core.errors import InputError
from infomin.experiments import page, tables


@main("report")
def report(cfg: DictConfig) -> None:
    """Show what was run, or run, tabulate and draw."""
    # Either runs or an experiment
    if (cfg.runs is None) != bool(cfg.get("name")):
        raise InputError(
            "runs, experiment: expected one of them, a folder such as runs=runs or a grid such as "
            f"experiment=demo or =table5, got {'neither' if cfg.runs is None else 'both'}"
        )

    # A page about runs
    if cfg.runs is not None:
        command = tables.shown(["python scripts/report.py", *TOLD])
        to = None if cfg.to is None else Path(str(cfg.to))
        written = page.write(Path(str(cfg.runs)), to, command)
        print(f"page: {os.path.relpath(written)}")
        return

    # Run what has not been run of the grid
    records = comparing.run_cells(cfg)

    # Its table and figure
    table, figure = comparing.write(cfg, records)
    print(f"\n{table}\n\nfigure: {os.path.relpath(figure)}")

    # Its pictures
    for record in records:
        if record.cell.seed == cfg.seeds[0]:
            print(f"picture of the views {record.cell}: {os.path.relpath(record.picture)}")
