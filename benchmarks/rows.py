"""Rows of the table of benchmarks: our quantity, the rival's, and the target.

A benchmark is a module with `measure(quick) -> list[Row]` that ends in `main(measure)`. It runs in
a separate process and prints its rows to `run.py` as JSON on stdout; remarks go to stderr.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from infomin.experiments import tables


@dataclass(frozen=True)
class Row:
    """A quantity with all its measurements.

    Attributes:
        quantity: what is measured.
        unit: unit of the numbers.
        ours: our numbers, one per round.
        rival: name of the rival; empty without one.
        theirs: the rival's numbers, from the same rounds.
        least, most: target of the ratio ours / theirs, or of ours without a rival.
    """

    quantity: str
    unit: str
    ours: Sequence[float]
    rival: str = ""
    theirs: Sequence[float] = ()
    least: float | None = None
    most: float | None = None

    @property
    def ratio(self) -> float | None:
        """Median of ours divided by median of theirs."""
        return median(self.ours) / median(self.theirs) if self.theirs else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target."""
        if self.least is None and self.most is None:
            return None
        value = median(self.ours) if self.ratio is None else self.ratio
        return (self.least is None or value >= self.least) and (
            self.most is None or value <= self.most
        )

    @property
    def target(self) -> str:
        """The target in words."""
        times = "" if self.ratio is None else " x"
        if self.least is not None:
            return f"at least {self.least:g}{times}"
        return "" if self.most is None else f"at most {self.most:g}{times}"

    def record(self) -> dict[str, Any]:
        """Return all numbers for JSON."""
        return {
            "quantity": self.quantity,
            "unit": self.unit,
            "ours": median(self.ours),
            "rival": self.rival,
            "theirs": median(self.theirs) if self.theirs else None,
            "ratio": self.ratio,
            "target": self.target,
            "met": self.met,
            "measurements": {"ours": list(self.ours), "theirs": list(self.theirs)},
        }


def markdown(records: Sequence[dict[str, Any]]) -> str:
    """Return recorded rows as a markdown table."""
    return tables.markdown(
        [
            {
                "quantity": r["quantity"],
                "ours": f"{_short(r['ours'])} {r['unit']}",
                "rival": "" if r["theirs"] is None else f"{r['rival']}: {_short(r['theirs'])}",
                "ratio": "" if r["ratio"] is None else f"{r['ratio']:.2f}",
                "target": r["target"],
                "met": {True: "yes", False: "**no**", None: ""}[r["met"]],
            }
            for r in records
        ]
    )


def main(measure: Callable[[bool], list[Row]]) -> None:
    """Measure, and print the rows as JSON, or as a table on a terminal."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--quick", action="store_true", help="few repetitions, to check that it runs"
    )
    records = [row.record() for row in measure(parser.parse_args().quick)]
    print(markdown(records) if sys.stdout.isatty() else json.dumps(records))


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
