"""`report.html`: the runs of a folder on one page, with its table as CSV and its figures as PNG."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from urllib.parse import quote

from infomin.core import files
from infomin.core.page import render
from infomin.core.page.text import cut
from infomin.experiments import figures
from infomin.experiments.comparison import result_tables
from infomin.experiments.metrics import MINUTES, metrics
from infomin.experiments.page import sections, summary
from infomin.experiments.page.csv_table import to_csv
from infomin.experiments.results import ResultTable
from infomin.experiments.run_index import PAGE, RunIndex, scan
from infomin.experiments.tables import shareable_command

CSV, FIGURE = "summary.csv", "accuracy-{}.png"
LARGEST = 4_000_000  # bytes
_MOST_TABLES, _MOST_LEFT_OUT, _MOST_RUNS = 20, 60, 600


def write(runs: Path, to: Path | None = None, command: str = "") -> Path:
    """Write a page about the runs of a folder, and return its path.

    The page loads nothing from a network and shows everything from files as text. Runs of different
    protocols are in separate tables.

    Arguments:
        runs: a folder with runs at any depth.
        to: folder of the page; None is `report/page` in `runs`.
        command: that wrote the page.

    Raises:
        InputError: if the folder does not exist, or the page cannot be written.
    """
    index = scan(runs)
    tables = result_tables(index.runs)
    folder = files.make_folder(runs / "report" / "page" if to is None else to)
    page = _render(runs, folder, index, tables, command)
    assert len(page) < LARGEST, len(page)
    files.write_bytes(folder / PAGE, page)
    files.write_bytes(folder / CSV, to_csv(tables))
    for old in folder.glob(FIGURE.format("*")):
        old.unlink()
    for number, table in enumerate(tables[:_MOST_TABLES], 1):
        if any(i_nce for _, i_nce, _ in table.points):
            figure = figures.accuracy_figure(table)
            files.write(folder / FIGURE.format(number), partial(figure.savefig, format="png"))
    return folder / PAGE


def _render(
    runs: Path, folder: Path, index: RunIndex, tables: Sequence[ResultTable], command: str
) -> bytes:
    shown = tables[:_MOST_TABLES]
    summaries = [(i, s) for i, table in enumerate(shown, 1) if (s := summary.summarize(table))]
    compared = [(i, s) for i, s in summaries if s.significant is not None]
    origins = [
        (table_number, row_number, run, run in row.older)
        for table_number, table in enumerate(shown, 1)
        for row_number, row in enumerate(table.rows, 1)
        for run in [*(record.run for record in row.records), *row.older]
    ]
    return render(
        __name__,
        "style.css",
        "sort.js",
        name=cut(runs.absolute().name),
        index=index,
        sections=sections.sections(shown),
        more=len(tables) - len(shown),
        summaries=compared or summaries,
        origins=origins[:_MOST_RUNS],
        left_out=index.left_out[:_MOST_LEFT_OUT],
        command=cut(command, 300),
        cell=sections.cell,
        difference=sections.difference,
        minutes=lambda run: sections.cell(metrics(run).get(MINUTES), MINUTES),
        shareable=lambda text: cut(shareable_command(str(text).split()), 300),
        link=lambda path: quote(os.fsencode(os.path.relpath(path.absolute(), folder.absolute()))),
        place=lambda path: cut(os.path.relpath(path, runs)),
    )
