"""A grid of experiments: every cell is a game, if its views are learned, and a pretraining.

Each cell runs the very commands that a person would type, in processes of their own, and keeps its
runs in a folder of its own. A cell that has finished with the same commands, which meant the same
settings, is not run again, so that an interrupted grid goes on where it stopped, and grids over the
same data share what they have in common. A cell that differs from another in its pretraining only
plays no game: it takes the generator of that other one, and waits for it.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from infomin import files
from infomin.errors import InputError, one_of
from infomin.run import RESULT

HAND_MADE = ("raw", "whole")
CROP = "crop"
DONE = "done.json"


@dataclass(frozen=True)
class Cell:
    """One cell of a grid.

    Attributes:
        color: the space that views start from.
        views: `raw` or `whole`, the mode of a game (`unsup`, `sup`, `semi`), the name of a variant
            of one, or that of a generator learned elsewhere.
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


@dataclass(frozen=True)
class Record:
    """What a finished cell left behind: results, provenance, and the picture of its views."""

    cell: Cell
    pretraining: Mapping[str, Any]
    game: Mapping[str, Any] | None
    provenance: Mapping[str, Any]
    picture: Path

    @property
    def minutes(self) -> float:
        """Wall time of game and pretraining."""
        game = float(self.game["seconds"]) if self.game else 0.0
        return (game + float(self.pretraining["seconds"])) / 60


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
) -> list[list[str]]:
    """Return the command lines of a cell, `scripts/...` and overrides.

    Arguments:
        cell: which one.
        common: overrides of every script.
        learn, pretrain: overrides of one script.
        variants: by name, the overrides that make a game, its mode among them.
        augmentations: by name, further overrides of the pretraining.

    Raises:
        InputError: for an unknown augmentation.
    """
    told = [*common, f"seed={cell.seed}", f"out={cell.folder}"]
    known = {CROP: [], **(augmentations or {})}
    one_of("rows: augmentation", cell.augmentation, known)
    trained = [*pretrain, *known[cell.augmentation], *told]
    if cell.generator is not None:
        given = f"views.generator={cell.generator}"
        return [["scripts/pretrain.py", "views=learned", given, *trained]]
    if not cell.learned:
        views = [f"views={cell.views}", f"views.color={cell.color}"]
        return [["scripts/pretrain.py", *views, *trained]]
    if cell.player != cell:
        runs = f"views.runs={cell.player.folder}"
        return [["scripts/pretrain.py", "views=learned", runs, *trained]]
    kind = (variants or {}).get(cell.views, [f"mode={cell.views}"])
    game = ["scripts/learn_views.py", *kind, f"color={cell.color}", *learn, *told]
    return [game, ["scripts/pretrain.py", "views=learned", *trained]]


def run(
    todo: Mapping[Cell, Sequence[Sequence[str]]],
    settings: Callable[[Sequence[str]], str],
    root: Path,
    jobs: int,
    say: Callable[[str], None],
) -> list[Record]:
    """Run every cell that has not finished, `jobs` at a time, and return all records.

    Processes share the cores evenly: small networks use one core each better than all together.

    Arguments:
        todo: cells and their command lines.
        settings: what a command line means, defaults included; a cell that finished under others
            is run again.
        root: folder that holds `scripts/`.
        jobs: cells at a time.
        say: shows a line of progress.

    Raises:
        InputError: when a command fails; says which, and the last line it printed.
    """
    threads = max(1, (os.cpu_count() or 1) // jobs)
    meant = {
        cell: [{"command": [*line], "settings": settings(line)} for line in lines]
        for cell, lines in todo.items()
    }
    for cell in todo:
        if cell.player != cell:  # another game makes another generator
            meant[cell].append(meant[cell.player][0])
    done = [cell for cell in todo if _finished(cell, meant[cell])]
    waiting = [cell for cell in todo if cell not in done]
    # games first: while they are played there are other cells to run, and then those who need them
    waiting.sort(key=lambda cell: (cell.seed, cell.player != cell, not cell.learned))
    say(f"{len(todo)} cells, {len(done)} done before, {jobs} at a time, {threads} threads each")
    with ThreadPoolExecutor(jobs) as pool:
        futures: dict[Cell, Future[None]] = {}
        for cell in waiting:
            game = futures.get(cell.player)
            futures[cell] = pool.submit(_run, cell, todo[cell], meant[cell], root, threads, game)
        cell_of = {future: cell for cell, future in futures.items()}
        try:
            for number, future in enumerate(as_completed(cell_of), 1):
                future.result()
                record = read(cell_of[future])
                top1, value = record.pretraining["top1"], record.pretraining["i_nce"]["value"]
                say(
                    f"[{number}/{len(waiting)}] {record.cell}: top-1 {top1:.1%}, "
                    f"I_NCE {value:.2f}, {record.minutes:.1f} min"
                )
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [read(cell) for cell in todo]


def read(cell: Cell) -> Record:
    """Read what a finished cell recorded."""
    pretraining = _newest(cell.folder / "pretrain")
    played = cell.player.folder / "learn_views"
    game = files.read_json(_newest(played)) if cell.learned else None
    provenance = files.read_json(pretraining.parent / "provenance.json")
    picture = pretraining.parent / "pictures" / "views.png"
    return Record(cell, files.read_json(pretraining), game, provenance, picture)


def _run(
    cell: Cell,
    lines: Sequence[Sequence[str]],
    meant: Sequence[Mapping[str, Any]],
    root: Path,
    threads: int,
    game: Future[None] | None,
) -> None:
    if game is not None:
        game.result()
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    files.make_folder(cell.folder)
    log = cell.folder / "log.txt"
    for line in lines:
        with log.open("a") as stream:
            done = subprocess.run(
                [sys.executable, str(root / line[0]), *line[1:]],
                env=environment,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        if done.returncode:
            last = (log.read_text().strip().splitlines() or ["no output"])[-1]
            raise InputError(f"{cell}: {' '.join(line)} failed: {last} (see {log})")
    files.write_json(cell.folder / DONE, meant)


def _finished(cell: Cell, meant: Sequence[Mapping[str, Any]]) -> bool:
    path = cell.folder / DONE
    return path.is_file() and files.read_json(path) == meant


def _newest(runs: Path) -> Path:
    found = sorted(runs.glob(f"*/{RESULT}"), key=lambda path: path.stat().st_mtime_ns)
    if not found:
        raise InputError(f"{runs}: no finished run")
    return found[-1]
