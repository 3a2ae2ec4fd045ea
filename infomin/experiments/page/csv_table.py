"""The tables of a page as one CSV file, for other programs."""

import csv
import io
from collections.abc import Sequence

from infomin.core.page.text import as_text
from infomin.experiments.results import ResultTable

_HEAD = ["table", "kind", "data", "row", "views", "detail", "n", "seeds"]


def to_csv(tables: Sequence[ResultTable]) -> bytes:
    """Return a line for each row of each table: means, standard deviations, n and seeds.

    The first column numbers the tables. Lines of different tables are not comparable.
    """
    metrics = list(dict.fromkeys(name for table in tables for name in table.metrics))
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow([*_HEAD, *(f"{name}, {part}" for name in metrics for part in ("mean", "std"))])
    for i, table in enumerate(tables, 1):
        data = as_text(table.protocol.get("result: data"))
        for j, row in enumerate(table.rows, 1):
            words = [table.kind, data, f"{j}", row.name, row.detail, f"{len(row.records)}"]
            words.append(" ".join(map(str, row.seeds)))
            statistics = [row.mean_and_std(name) for name in metrics]
            numbers = [n for s in statistics for n in ((s.mean, s.std) if s else (None, None))]
            cells = ["" if n is None else f"{n:.6g}" for n in numbers]
            lines.writerow([f"{i}", *map(_no_formula, words), *cells])
    return text.getvalue().encode(errors="replace")


def _no_formula(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
