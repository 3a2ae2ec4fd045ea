"""The cells of Table 4: what an encoder of Colorful-Moving-MNIST keeps, by what its views share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infomin.experiments.grid.cells import override
from infomin.experiments.run_index import newest_run

FACTORS = {"digit": "%", "background": "%", "position": "px"}
"""What is read out, in the order of the paper's table, and the units of errors."""
SCRIPT = "share_factors"


@dataclass(frozen=True)
class SharingCell:
    """Some shared factors, or none and labels of all of them, and a seed.

    Attributes:
        shared: factors; none is the supervised row.
        seed: of weights and scenes.
        cells: the folder of all cells.
    """

    shared: tuple[str, ...]
    seed: int
    cells: Path

    @property
    def row(self) -> str:
        """What cells of all seeds have in common."""
        return ", ".join(self.shared) or "supervised"

    @property
    def folder(self) -> Path:
        """Where its runs are."""
        return self.cells / f"{'-'.join(self.shared) or 'supervised'}-s{self.seed}"

    @property
    def dependency(self) -> "SharingCell":
        """It needs no other."""
        return self

    def command(self, overrides: Sequence[str]) -> list[str]:
        """Return the command line of the cell."""
        what = f"shared=[{','.join(self.shared)}]" if self.shared else "supervised=true"
        told = [what, *overrides, f"seed={self.seed}", override("out", self.folder)]
        return [f"scripts/{SCRIPT}.py", *told]

    def __str__(self) -> str:
        return f"{self.row}, seed {self.seed}"


@dataclass(frozen=True)
class SharingRecord:
    """What a finished cell left behind."""

    cell: SharingCell
    result: Mapping[str, Any]
    provenance: Mapping[str, Any]
    picture: Path

    def error(self, factor: str) -> float:
        """Return that of a readout: of classes in per cent, of a position in pixels."""
        return self._told(f"{factor}_error", factor)

    def chance(self, factor: str) -> float:
        """Return the error of a guess that does not look."""
        return self._told(f"{factor}_chance", factor)

    @property
    def i_nce(self) -> float | None:
        """Between held-out pairs, in nats; None where labels were learned."""
        told = self.result["i_nce"]
        return float(told["value"]) if told else None

    @property
    def minutes(self) -> float:
        """Wall time."""
        return float(self.result["seconds"]) / 60

    def _told(self, name: str, factor: str) -> float:
        return float(self.result[name]) * (100 if FACTORS[factor] == "%" else 1)

    def __str__(self) -> str:
        errors = [f"{name} {self.error(name):.1f} {unit}" for name, unit in FACTORS.items()]
        return f"{', '.join(errors)}, {self.minutes:.1f} min"


def cells(
    folder: Path, sharings: Sequence[Sequence[str]], seeds: Sequence[int]
) -> list[SharingCell]:
    """Return all cells, seed by seed; an empty sharing is the supervised row."""
    return [SharingCell(tuple(shared), seed, folder) for seed in seeds for shared in sharings]


def read(cell: SharingCell) -> SharingRecord:
    """Read what a finished cell recorded."""
    run = newest_run(cell.folder / SCRIPT)
    picture = run.folder / "pictures" / "views.png"
    return SharingRecord(cell, run.result, run.provenance, picture)
