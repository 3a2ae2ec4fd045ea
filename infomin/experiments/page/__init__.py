"""`report.html`: the runs of a folder on one page, with its table as CSV and its figures as PNG."""

import csv
import io
import os
import shlex
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import quote

from infomin.core import files
from infomin.core.page import render
from infomin.core.page.text import as_text, cut
from infomin.experiments import figures
from infomin.experiments.comparison import result_tables
from infomin.experiments.page import sections, summary
from infomin.experiments.results import MINUTES, ResultTable, metrics
from infomin.experiments.run_index import PAGE, RunIndex, scan
from infomin.experiments.tables import shareable_command

CSV, FIGURE = "summary.csv", "accuracy-{}.png"
LARGEST = 4_000_000  # bytes
_HEAD = ["table", "kind", "data", "row", "views", "detail", "n", "seeds"]  # of the CSV
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
    files.write_bytes(folder / CSV, _csv(tables))
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
    shown = sections.sections(tables[:_MOST_TABLES])
    summaries = [(i, s.summary) for i, s in enumerate(shown, 1) if s.summary]
    compared = [(i, s) for i, s in summaries if s.significant is not None]
    origins = [
        (table_number, row_number, run, run in row.older)
        for table_number, section in enumerate(shown, 1)
        for row_number, row in enumerate(section.table.rows, 1)
        for run in [*(record.run for record in row.records), *row.older]
    ]
    return render(
        __name__,
        "style.css",
        "sort.js",
        name=cut(runs.absolute().name),
        index=index,
        sections=shown,
        more=len(tables) - len(shown),
        summaries=compared or summaries,
        origins=origins[:_MOST_RUNS],
        left_out=index.left_out[:_MOST_LEFT_OUT],
        command=cut(command, 300),
        cell=sections.cell,
        difference=summary.difference,
        minutes=lambda run: sections.cell(metrics(run).get(MINUTES), MINUTES),
        shareable=lambda text: cut(shareable_command(_words(str(text))), 300),
        link=lambda path: quote(os.fsencode(os.path.relpath(path.absolute(), folder.absolute()))),
        place=lambda path: cut(os.path.relpath(path, runs)),
    )


def _words(command: str) -> list[str]:
    """Return the words of a recorded command; old records have no quotes around words."""
    with suppress(ValueError):
        if shlex.join(words := shlex.split(command)) == command:
            return words
    return command.split()


def _csv(tables: Sequence[ResultTable]) -> bytes:
    """Return a line for each row of each table: means, standard deviations, n and seeds.

    The first column numbers the tables. Lines of different tables are not comparable.
    """
    names = list(dict.fromkeys(name for table in tables for name in table.metrics))
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow([*_HEAD, *(f"{name}, {part}" for name in names for part in ("mean", "std"))])
    for i, table in enumerate(tables, 1):
        data = as_text(table.protocol.get("result: data"))
        for j, row in enumerate(table.rows, 1):
            words = [table.kind, data, f"{j}", row.name, row.detail, f"{len(row.records)}"]
            words.append(" ".join(map(str, row.seeds)))
            cells = []
            for name in names:
                value = row.mean_and_std(name)
                numbers = (value.mean, value.std) if value else (None, None)
                cells += ["" if number is None else f"{number:.6g}" for number in numbers]
            lines.writerow([f"{i}", *map(_no_formula, words), *cells])
    return text.getvalue().encode(errors="replace")


def _no_formula(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
