"""A grid of experiments: run what has not been run, and read what all of it recorded.

Each cell runs the very commands that a person would type, in processes of their own, and keeps its
runs in a folder of its own. A cell that has finished with the same commands, which meant the same
settings, is not run again, so that an interrupted grid goes on where it stopped, and grids over the
same data share what they have in common.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infomin import files
from infomin.errors import InputError
from infomin.report.cells import Cell
from infomin.run import RESULT

DONE = "done.json"


@dataclass(frozen=True)
class Record:
    """What a finished cell left behind: results, provenance, and the picture of its views.

    `judged` is the result of the evaluation: that of the pretraining, or on other data.
    """

    cell: Cell
    pretraining: Mapping[str, Any]
    judged: Mapping[str, Any]
    game: Mapping[str, Any] | None
    provenance: Mapping[str, Any]
    picture: Path

    @property
    def minutes(self) -> float:
        """Wall time of game, pretraining and an evaluation elsewhere."""
        apart = [] if self.judged is self.pretraining else [self.judged]
        games = [self.game] if self.game else []
        return sum(float(run["seconds"]) for run in (*games, self.pretraining, *apart)) / 60


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
                top1, value = record.judged["top1"], record.pretraining["i_nce"]["value"]
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
    result = files.read_json(pretraining)
    elsewhere = cell.folder / "linear_eval"
    judged = files.read_json(_newest(elsewhere)) if elsewhere.is_dir() else result
    return Record(cell, result, judged, game, provenance, picture)


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
