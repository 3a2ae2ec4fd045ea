"""The tables as CSV, for other programs, and the provenance of each run."""

import csv
import io
from collections.abc import Sequence
from typing import NamedTuple

from infomin.core.page.text import cut, short
from infomin.experiments.comparison import Comparison, Row
from infomin.experiments.found import Finished
from infomin.experiments.measures import MINUTES, measures
from infomin.experiments.tables import shown

_HEAD = ["table", "kind", "data", "row", "views", "detail", "n", "seeds"]


class Record(NamedTuple):
    """Where one run comes from."""

    run: Finished
    table: int
    row: int
    seed: str
    minutes: str
    commit: str
    hardware: str
    started: str
    command: str
    note: str


def record(run: Finished, table: int, row: int, older: Sequence[Finished]) -> Record:
    """Return the provenance of a run as text."""
    minutes = measures(run).get(MINUTES)
    told = (short(run.origin.get(name, "–")) for name in ("commit", "hardware", "started"))
    commit, hardware, started = (cut(text, 60) for text in told)
    return Record(
        run,
        table,
        row,
        short(run.seed),
        "–" if minutes is None else f"{minutes:.1f}",
        commit,
        hardware,
        started[:16].replace("T", " "),
        cut(shown(str(run.origin.get("command", "–")).split()), 300),
        "an older run of this seed, not counted" if run in older else "",
    )


def of(tables: Sequence[Comparison]) -> bytes:
    """Return a line for each row of each table: means, standard deviations, n and seeds.

    The first column numbers the tables; lines of different tables are not comparable.
    """
    rows = [
        (i, table, j, row)
        for i, table in enumerate(tables, 1)
        for j, row in enumerate(table.rows, 1)
    ]
    names = list(
        dict.fromkeys(
            name for _, table, _, _ in rows for run in table.runs for name in measures(run)
        )
    )
    head = [*_HEAD, *(f"{name}, {part}" for name in names for part in ("mean", "std"))]
    written = io.StringIO()
    sheet = csv.writer(written, lineterminator="\n")
    sheet.writerow(head)
    for i, table, j, row in rows:
        data = short(table.protocol.get("result: data"))
        seeds = " ".join(map(str, row.seeds))
        told = [table.kind, data, str(j), row.name, row.detail, str(len(row.runs)), seeds]
        sheet.writerow([str(i), *map(_harmless, told), *_numbers(row, names)])
    return written.getvalue().encode(errors="replace")


def _numbers(row: Row, names: Sequence[str]) -> list[str]:
    found = [row.spread(name) for name in names]
    pairs = [(s.mean, s.std) if s else (None, None) for s in found]
    return ["" if value is None else f"{value:.6g}" for pair in pairs for value in pair]


def _harmless(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
