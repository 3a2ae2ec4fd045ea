"""`report.html`: a folder of runs on one page, with its table as CSV and its figures as PNG."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from urllib.parse import quote

from infomin.core import files
from infomin.core.page import render
from infomin.core.page.text import cut
from infomin.experiments import figures
from infomin.experiments.comparison import Comparison, compared
from infomin.experiments.found import PAGE, Found, search
from infomin.experiments.page import sheet
from infomin.experiments.page.answers import Answer
from infomin.experiments.page.sections import Section, sections

SHEET, FIGURE = "summary.csv", "accuracy-{}.png"
LARGEST = 4_000_000  # bytes
_TABLES, _LEFT_OUT, _RUNS = 20, 60, 600
_ROOM = 1_600_000  # bytes of all strips of views


def write(runs: Path, to: Path | None = None, command: str = "") -> Path:
    """Write a page about the runs of a folder; return its path.

    It asks the network for nothing, and everything that it takes from files is shown as text. Runs
    of different protocols stand in tables of their own.

    Arguments:
        runs: a folder with runs at any depth.
        to: folder of the page; None is `report/page` there.
        command: that asked for it.

    Raises:
        InputError: when there are no such runs, or the page cannot be written.
    """
    found = search(runs)
    tables = compared(found.runs)
    folder = files.make_folder(runs / "report" / "page" if to is None else to)
    page = _page(runs, folder, found, tables, command)
    assert len(page) < LARGEST, len(page)
    files.write_bytes(folder / PAGE, page)
    files.write_bytes(folder / SHEET, sheet.of(tables))
    for old in folder.glob(FIGURE.format("*")):
        old.unlink()
    for number, table in enumerate(tables[:_TABLES], 1):
        if figure := figures.rows(table):
            files.write(folder / FIGURE.format(number), partial(figure.savefig, format="png"))
    return folder / PAGE


def _page(
    runs: Path, folder: Path, found: Found, tables: Sequence[Comparison], command: str
) -> bytes:
    def link(path: Path) -> str:
        return quote(os.fsencode(os.path.relpath(path.absolute(), folder.absolute())))

    def name(path: Path) -> str:
        return cut(os.path.relpath(path, runs))

    made = sections(tables[:_TABLES], _ROOM)
    return render(
        __name__,
        "style.css",
        "sort.js",
        name=cut(runs.absolute().name),
        found=found,
        sections=made,
        more=len(tables) - len(made),
        answers=_answers(made),
        records=_records(made)[:_RUNS],
        left_out=found.left_out[:_LEFT_OUT],
        command=cut(command, 300),
        link=link,
        place=name,
    )


def _answers(made: Sequence[Section]) -> list[tuple[int, Answer]]:
    """Return the answers of all tables with a comparison, or else of all that have one."""
    answers = [(i, s.answer) for i, s in enumerate(made, 1) if s.answer]
    return [(i, answer) for i, answer in answers if answer.sure is not None] or answers


def _records(made: Sequence[Section]) -> list[sheet.Record]:
    """Return a line of provenance for every run, older ones of a seed behind."""
    return [
        sheet.record(run, table, place, row.older)
        for table, section in enumerate(made, 1)
        for place, row in enumerate(section.table.rows, 1)
        for run in [*row.runs, *row.older]
    ]
