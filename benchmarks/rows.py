"""One row of the table: a quantity of ours, a rival's, and whether the target is met.

A benchmark is a module with `measure(quick) -> list[Row]` that ends in `main(measure)`. It runs as
a process of its own and hands its rows to `run.py` as JSON on stdout; remarks go to stderr.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Row:
    """A quantity with all its measurements.

    Attributes:
        quantity: what is measured.
        unit: of it.
        ours: our numbers, one a round.
        rival: who else was measured; empty for nobody.
        theirs: the rival's numbers, of the same rounds.
        least, most: target of the ratio ours / theirs, or of ours where there is no rival.
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
        """Median of ours over median of theirs."""
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
        """Return everything, for JSON."""
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
    """Return the table of recorded rows."""
    lines = ["| quantity | ours | rival | ratio | target | met |", "|---|--:|--:|--:|---|---|"]
    for r in records:
        ours = f"{_short(r['ours'])} {r['unit']}"
        rival = "" if r["theirs"] is None else f"{r['rival']}: {_short(r['theirs'])}"
        ratio = "" if r["ratio"] is None else f"{r['ratio']:.2f}"
        met = {True: "yes", False: "**no**", None: ""}[r["met"]]
        lines.append(f"| {r['quantity']} | {ours} | {rival} | {ratio} | {r['target']} | {met} |")
    return "\n".join(lines)


def main(measure: Callable[[bool], list[Row]]) -> None:
    """Measure, and write the rows as JSON to stdout, or as a table where somebody looks on."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="few repetitions: does it run?")
    records = [row.record() for row in measure(parser.parse_args().quick)]
    print(markdown(records) if sys.stdout.isatty() else json.dumps(records))


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
