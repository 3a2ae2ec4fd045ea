"""Run what has not been run of a grid.

A command that has finished with the same words, which meant the same settings, is not run again, so
that an interrupted grid goes on where it stopped, and grids over the same data share what they have
in common: an encoder can be judged in several ways.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from infomin.core import files
from infomin.core.errors import InputError
from infomin.experiments.grid.processes import Processes
from infomin.runs.folder import RESULT
from infomin.runs.signals import Interrupted, raised

DONE = "done.json"
EVALUATIONS = ("scripts/linear_eval.py", "scripts/segment.py")
"""They leave what was trained, and one another, as they are."""
Line = Sequence[str]
Settings = Mapping[str, Any]
"""Of a command, as JSON has them: their order says nothing."""
Meant = Mapping[str, Any]
"""A command and its settings."""


@runtime_checkable
class Cell(Protocol):
    """Some commands that build on one another, and leave their runs in one folder."""

    @property
    def seed(self) -> int:
        """Of all commands."""

    @property
    def folder(self) -> Path:
        """Where its runs are."""

    @property
    def player(self) -> "Cell":
        """The cell whose first command this one needs, often itself."""


C = TypeVar("C", bound=Cell)


@dataclass(frozen=True)
class _Task:
    """What is to be done for a cell.

    Attributes:
        lines: its commands.
        meant: what has to be recorded once it is done: a command of another cell first, where one
            is needed, then its own.
    """

    cell: Cell
    lines: Sequence[Line]
    meant: Sequence[Meant]

    @property
    def recorded(self) -> list[Meant]:
        """What has been done before."""
        path = self.cell.folder / DONE
        return list(files.read_json(path)) if path.is_file() else []

    @property
    def left(self) -> int:
        """How many commands are left to run, from the first that has not been done."""
        recorded, whole = self.recorded, len(self.meant)
        done = next((i for i, m in enumerate(self.meant) if m not in recorded), whole)
        return min(whole - done, len(self.lines))


def run(
    todo: Mapping[C, Sequence[Line]],
    settings: Callable[[Line], Settings],
    root: Path,
    jobs: int,
    say: Callable[[str], None],
    tell: Callable[[C], str],
) -> None:
    """Run every command that has not finished, cells `jobs` at a time.

    Processes share the cores evenly: small networks use one core each better than all together.

    Arguments:
        todo: cells and their command lines.
        settings: what a command line means, defaults included; one that finished under others is
            run again, with all that builds on it.
        root: folder that holds `scripts/`.
        jobs: cells at a time.
        say: shows a line of progress.
        tell: what a finished cell has found, in a few words.

    Raises:
        InputError: when a command fails; says which, and the last line it printed. Others that
            run at the time are waited for.
        Interrupted: when SIGTERM comes; as with Ctrl-C, what runs is stopped, and saves.
    """
    threads = max(1, (os.cpu_count() or 1) // jobs)
    tasks = _tasks(todo, settings)
    waiting = [cell for cell in todo if tasks[cell].left]
    # games first: while they are played there are other cells to run, and then those who need them
    waiting.sort(key=lambda cell: (cell.seed, cell.player != cell, -len(todo[cell])))
    before = len(todo) - len(waiting)
    say(f"{len(todo)} cells, {before} done before, {jobs} at a time, {threads} threads each")
    processes = Processes()
    again = "stopped; the same command goes on with the cells that are left"
    with raised(again), ThreadPoolExecutor(jobs) as pool:
        futures: dict[Cell, Future[None]] = {}
        try:
            for cell in waiting:
                needed = futures.get(cell.player)
                told = (tasks[cell], processes, root, threads, needed)
                futures[cell] = pool.submit(_run, *told)
            cell_of = {futures[cell]: cell for cell in waiting}
            for number, future in enumerate(as_completed(cell_of), 1):
                future.result()
                cell = cell_of[future]
                say(f"[{number}/{len(waiting)}] {cell}: {tell(cell)}")
        except BaseException as error:
            if isinstance(error, Interrupted | KeyboardInterrupt):
                processes.stop()
            pool.shutdown(cancel_futures=True)
            raise


def override(name: str, value: object) -> str:
    """Return `name=value`, quoted where Hydra would read a list, a mapping or a call."""
    text = str(value)
    if set(text).isdisjoint(",()[]{}'\""):
        return f"{name}={text}"
    escaped = text.replace("'", r"\'")
    return f"{name}='{escaped}'"


def newest(runs: Path) -> Path:
    """Return the result of the newest finished run in a folder.

    Raises:
        InputError: when there is none.
    """
    found = sorted(runs.glob(f"*/{RESULT}"), key=lambda path: path.stat().st_mtime_ns)
    if not found:
        raise InputError(f"{runs}: no finished run")
    return found[-1]


def _tasks(
    todo: Mapping[C, Sequence[Line]], settings: Callable[[Line], Settings]
) -> dict[C, _Task]:
    meant: dict[Cell, list[Meant]] = {
        cell: [{"command": [*line], "settings": settings(line)} for line in lines]
        for cell, lines in todo.items()
    }
    tasks = {}
    for cell, lines in todo.items():
        # where another cell is needed: what it does anew makes another generator
        needed = meant[cell.player][:1] if cell.player != cell else []
        tasks[cell] = _Task(cell, lines, [*needed, *meant[cell]])
    return tasks


def _run(
    task: _Task, processes: Processes, root: Path, threads: int, needed: Future[None] | None
) -> None:
    if needed is not None:
        needed.result()
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    folder = files.make_folder(task.cell.folder)
    log = folder / "log.txt"
    for place in range(len(task.meant) - task.left, len(task.meant)):
        line = task.meant[place]["command"]
        with log.open("a", encoding="utf-8") as stream:
            words = [sys.executable, str(root / line[0]), *line[1:]]
            code = processes.call(words, environment, stream)
        if code:
            last = (
                log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
                or ["no output"]
            )[-1]
            raise InputError(f"{task.cell}: {' '.join(line)} failed: {last} (see {log})")
        files.write_json(folder / DONE, _with(task.recorded, task.meant[: place + 1]))


def _with(recorded: Sequence[Meant], done: Sequence[Meant]) -> list[Meant]:
    """Return what is recorded once the last of these commands has been done after the others."""
    script = done[-1]["command"][0]
    if script not in EVALUATIONS:
        return [*done]  # whatever came after is of what was trained before
    return [*(m for m in recorded if m["command"][0] != script), done[-1]]
