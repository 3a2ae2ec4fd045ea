"""The cells of a grid of pretrainings: which there are, and the command lines of each.

A cell is a game, if its views are learned, a pretraining, and an evaluation, if its data are not
those of the pretraining. A cell that differs from another in its pretraining only plays no game: it
takes the generator of that other one, and waits for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from infomin.core.errors import InputError, one_of
from infomin.experiments.grid.running import override

COLORED = ("raw", "whole")
HAND_MADE = (*COLORED, "patches", "frequency", "modalities")
CROP = "crop"


@dataclass(frozen=True)
class Cell:
    """One cell of a grid.

    Attributes:
        color: the space that views start from; patches and bands of frequency know none.
        views: one of `HAND_MADE`, the mode of a game (`unsup`, `sup`,
            `semi`), the name of a variant of one, or that of a generator learned elsewhere.
        seed: of game and pretraining.
        cells: the folder of all cells.
        augmentation: the name of a variant of the pretraining; `crop` is the usual one.
        generator: the one learned elsewhere.
    """

    color: str
    views: str
    seed: int
    cells: Path
    augmentation: str = CROP
    generator: str | None = None

    @property
    def row(self) -> tuple[str, str, str]:
        """What cells of all seeds have in common."""
        return self.color, self.views, self.augmentation

    @property
    def folder(self) -> Path:
        """Where its runs are."""
        other = "" if self.augmentation == CROP else f"-{self.augmentation}"
        return self.cells / f"{self.color}-{self.views}{other}-s{self.seed}"

    @property
    def learned(self) -> bool:
        """Whether a game of this grid made its views."""
        return self.views not in HAND_MADE and self.generator is None

    @property
    def player(self) -> "Cell":
        """The cell that plays the game for this one, often itself."""
        return replace(self, augmentation=CROP) if self.learned else self

    def __str__(self) -> str:
        other = "" if self.augmentation == CROP else f", {self.augmentation}"
        return f"{self.views} from {self.color}{other}, seed {self.seed}"


def cells(
    folder: Path,
    rows: Sequence[Sequence[str]],
    seeds: Sequence[int],
    generators: Mapping[str, str] | None = None,
) -> list[Cell]:
    """Return all cells, seed by seed, so that a first complete table comes early.

    Arguments:
        folder: of all cells.
        rows: color, views and, unless it is `crop`, augmentation.
        seeds: of each row.
        generators: learned elsewhere, by the name that they have in rows.

    Raises:
        InputError: when a row needs the game of another that is not there.
    """
    elsewhere = generators or {}
    made = [
        Cell(color, views, seed, folder, (*augmentation, CROP)[0], elsewhere.get(views))
        for seed in seeds
        for color, views, *augmentation in rows
    ]
    for cell in made:
        if cell.player not in made:
            raise InputError(
                f"rows: {[*cell.row]} takes the generator of {[*cell.player.row]}; add that row"
            )
    return made


def commands(
    cell: Cell,
    common: Sequence[str],
    learn: Sequence[str],
    pretrain: Sequence[str],
    variants: Mapping[str, Sequence[str]] | None = None,
    augmentations: Mapping[str, Sequence[str]] | None = None,
    judge: Sequence[str] = (),
    by: str = "linear_eval",
    judges: Mapping[str, Sequence[str]] | None = None,
) -> list[list[str]]:
    """Return the command lines of a cell, `scripts/...` and overrides.

    Arguments:
        cell: which one.
        common: overrides of every script.
        learn, pretrain: overrides of one script.
        variants: by name, the overrides that make a game, its mode among them.
        augmentations: by name, further overrides of the pretraining.
        judge: overrides of an evaluation, on the data of the pretraining where they name no other;
            none where pretraining judges itself.
        by: the script of that evaluation.
        judges: by the name of an augmentation, further overrides of it.

    Raises:
        InputError: for an unknown augmentation.
    """
    lines = _training(cell, common, learn, pretrain, variants or {}, augmentations or {})
    if judge:
        elsewhere = any(word.startswith("data") for word in judge)
        kept = ("budget",) if elsewhere else ("budget", "data")
        told = [
            *judge,
            *(judges or {}).get(cell.augmentation, ()),
            *(word for word in common if word.startswith(kept)),
            f"seed={cell.seed}",
            override("out", cell.folder),
        ]
        lines.append([f"scripts/{by}.py", *told])
    return lines


def _training(
    cell: Cell,
    common: Sequence[str],
    learn: Sequence[str],
    pretrain: Sequence[str],
    variants: Mapping[str, Sequence[str]],
    augmentations: Mapping[str, Sequence[str]],
) -> list[list[str]]:
    told = [*common, f"seed={cell.seed}", override("out", cell.folder)]
    known = {CROP: [], **augmentations}
    one_of("rows: augmentation", cell.augmentation, known)
    trained = [*pretrain, *known[cell.augmentation], *told]
    if cell.generator is not None:
        given = override("views.generator", cell.generator)
        return [["scripts/pretrain.py", "views=learned", given, *trained]]
    if not cell.learned:
        colored = [f"views.color={cell.color}"] if cell.views in COLORED else []
        views = [f"views={cell.views}", *colored]
        return [["scripts/pretrain.py", *views, *trained]]
    if cell.player != cell:
        runs = override("views.runs", cell.player.folder)
        return [["scripts/pretrain.py", "views=learned", runs, *trained]]
    kind = variants.get(cell.views, [f"mode={cell.views}"])
    game = ["scripts/learn_views.py", *kind, f"color={cell.color}", *learn, *told]
    return [game, ["scripts/pretrain.py", "views=learned", *trained]]
