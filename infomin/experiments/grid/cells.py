"""The cells of a grid of pretrainings, and the commands of each cell.

A cell runs a game if its views are learned, a pretraining, and an evaluation if it is scored on
other data. A cell that differs from another one in its pretraining only runs no game. It takes the
generator of that cell and waits for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from infomin.core.errors import InputError, one_of
from infomin.core.names import file_name
from infomin.core.path_options import override

COLORED = ("raw", "whole")
HAND_MADE = (*COLORED, "patches", "frequency", "modalities")
CROP = "crop"


@dataclass(frozen=True)
class PretrainingCell:
    """One cell of a grid."""

    color: str  # of the input; unused by patches and bands of frequency
    views: str  # one of HAND_MADE, the mode or variant of a game, or the name of a given generator
    seed: int  # of game and pretraining
    cells: Path  # folder of all cells
    augmentation: str = CROP  # name of a variant of the pretraining
    generator: str | None = None  # path or name of the given generator

    @property
    def row(self) -> tuple[str, str, str]:
        """The properties that cells of all seeds share."""
        return self.color, self.views, self.augmentation

    @property
    def folder(self) -> Path:
        """The folder of its runs."""
        suffix = "" if self.augmentation == CROP else f"-{self.augmentation}"
        return self.cells / file_name(f"{self.color}-{self.views}{suffix}-s{self.seed}")

    @property
    def learned(self) -> bool:
        """Whether a game of this grid learns its views."""
        return self.views not in HAND_MADE and self.generator is None

    @property
    def dependency(self) -> "PretrainingCell":
        """The cell whose game it needs; itself if it needs no other."""
        return replace(self, augmentation=CROP) if self.learned else self

    def __str__(self) -> str:
        suffix = "" if self.augmentation == CROP else f", {self.augmentation}"
        return f"{self.views} from {self.color}{suffix}, seed {self.seed}"


def cells(
    folder: Path,
    rows: Sequence[Sequence[str]],
    seeds: Sequence[int],
    generators: Mapping[str, str] | None = None,
) -> list[PretrainingCell]:
    """Return all cells, seed by seed, so that a first complete table comes early.

    Arguments:
        folder: of all cells.
        rows: color, views and optionally augmentation.
        seeds: of each row.
        generators: given generators by their name in rows.

    Raises:
        InputError: if a row needs the game of a row that is missing.
    """
    given = generators or {}
    grid = [
        PretrainingCell(color, views, seed, folder, (*augmentation, CROP)[0], given.get(views))
        for seed in seeds
        for color, views, *augmentation in rows
    ]
    for cell in grid:
        if cell.dependency not in grid:
            raise InputError(
                f"rows: {[*cell.row]} takes the generator of {[*cell.dependency.row]}; add that row"
            )
    return grid


def commands(
    cell: PretrainingCell,
    common: Sequence[str] = (),
    learn: Sequence[str] = (),
    pretrain: Sequence[str] = (),
    variants: Mapping[str, Sequence[str]] | None = None,
    augmentations: Mapping[str, Sequence[str]] | None = None,
    judge: Sequence[str] = (),
    by: str = "linear_eval",
    judges: Mapping[str, Sequence[str]] | None = None,
) -> list[list[str]]:
    """Return the commands of a cell, each as `scripts/...` and overrides.

    Arguments:
        cell: the cell.
        common: overrides of every script.
        learn, pretrain: overrides of one script.
        variants: overrides of the game by the name of a variant.
        augmentations: further overrides of the pretraining by name.
        judge: overrides of the evaluation; empty if the pretraining evaluates itself. The data are
            those of the pretraining unless the overrides name others.
        by: script of the evaluation.
        judges: further overrides of the evaluation by the name of an augmentation.

    Raises:
        InputError: for an unknown augmentation.
    """
    own = [f"seed={cell.seed}", override("out", cell.folder)]
    known = {CROP: [], **(augmentations or {})}
    one_of("rows: augmentation", cell.augmentation, known)
    lines: list[list[str]] = []
    views = ["views=learned"]
    if cell.generator is not None:
        views.append(override("views.generator", cell.generator))
    elif not cell.learned:
        views = [f"views={cell.views}"]
        views += [f"views.color={cell.color}"] if cell.views in COLORED else []
    elif cell.dependency != cell:
        views.append(override("views.runs", cell.dependency.folder))
    else:
        game = [*(variants or {}).get(cell.views, [f"mode={cell.views}"]), f"color={cell.color}"]
        lines.append(["scripts/learn_views.py", *game, *learn, *common, *own])
    trained = [*views, *pretrain, *known[cell.augmentation], *common, *own]
    lines.append(["scripts/pretrain.py", *trained])
    if judge:
        other_data = any(word.startswith("data") for word in judge)
        kept = ("budget",) if other_data else ("budget", "data")
        shared = [word for word in common if word.startswith(kept)]
        further = (judges or {}).get(cell.augmentation, ())
        lines.append([f"scripts/{by}.py", *judge, *further, *shared, *own])
    return lines
