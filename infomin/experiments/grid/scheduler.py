"""The scheduler of a grid: it runs the commands that have not finished, cells in parallel.

A cell records every finished command with its resolved settings. A command whose record is equal is
not run again. So an interrupted grid continues where it stopped, and grids over the same data share
cells: an encoder can be evaluated in several ways.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from infomin.core import files
from infomin.core.errors import InputError
from infomin.experiments.grid.processes import Processes
from infomin.experiments.grid.progress import GridProgress
from infomin.experiments.run_index import last_lines
from infomin.runs.signals import Interrupted, raised

DONE, LOG = "done.json", "log.txt"
EVALUATIONS = ("scripts/linear_eval.py", "scripts/segment.py")
"""Commands that change neither a trained model nor the results of other commands."""
Command = Sequence[str]
"""A script and its overrides."""
Settings = Mapping[str, Any]
"""The resolved configuration of a command, as JSON; the order of keys is ignored."""
ResolvedCommand = Mapping[str, Any]
"""A command and its settings, as recorded once it has finished."""


@runtime_checkable
class Cell(Protocol):
    """Commands that build on one another and keep their runs in one folder."""

    @property
    def seed(self) -> int:
        """Seed of all commands."""

    @property
    def folder(self) -> Path:
        """Folder of its runs."""

    @property
    def dependency(self) -> "Cell":
        """The cell whose first command must finish first; itself if there is none."""


C = TypeVar("C", bound=Cell)


@dataclass(frozen=True)
class _Task:
    """The work of a cell."""

    cell: Cell
    commands: Sequence[Command]
    resolved: Sequence[ResolvedCommand]  # the first one of a dependency, then all of the cell

    @property
    def recorded(self) -> list[ResolvedCommand]:
        """The commands that finished earlier."""
        path = self.cell.folder / DONE
        return list(files.read_json(path)) if path.is_file() else []

    @property
    def left(self) -> Sequence[Command]:
        """The commands to run: from the first one that is not on record."""
        recorded, total = self.recorded, len(self.resolved)
        done = next((i for i, r in enumerate(self.resolved) if r not in recorded), total)
        return self.commands[len(self.commands) - min(total - done, len(self.commands)) :]


def run(
    todo: Mapping[C, Sequence[Command]],
    resolve: Callable[[Command], Settings],
    root: Path,
    jobs: int,
    progress: GridProgress,
    describe: Callable[[C], str],
    check: Callable[[Command], None] = lambda command: None,
) -> None:
    """Run every command that has not finished, `jobs` cells at a time.

    All commands are resolved and checked before the first one runs. Processes share the cores
    evenly: small networks run faster on one core each than together on all.

    Arguments:
        todo: cells and their commands.
        resolve: returns the settings of a command, defaults included. A command that finished with
            other settings runs again, with all that build on it.
        root: folder that holds `scripts/`.
        jobs: number of cells at a time.
        progress: shows finished cells, and the state of running ones.
        describe: summarises the results of a finished cell.
        check: raises an InputError for a command that is known to fail.

    Raises:
        InputError: if a command is wrong or fails, with the last line it printed. Cells that run
            at that time are waited for.
        Interrupted: at SIGTERM. As with Ctrl-C, running commands save and stop.
    """
    tasks = _tasks(todo, resolve)
    waiting = [cell for cell in todo if tasks[cell].left]
    for cell in waiting:
        for command in tasks[cell].left:
            try:
                check(command)
            except InputError as error:
                raise InputError(f"{cell}: {command[0]}: {error}") from None
    # games first: other cells can run meanwhile, and then those that need a game
    waiting.sort(key=lambda cell: (cell.seed, cell.dependency != cell, -len(todo[cell])))
    threads = max(1, (os.cpu_count() or 1) // jobs)
    done = len(todo) - len(waiting)
    progress.show_line(
        f"{len(todo)} cells, {done} done before, {jobs} at a time, {threads} threads each"
    )
    processes, running = Processes(), dict[Cell, float]()
    stopped = "stopped; the same command continues with the remaining cells"
    with raised(stopped), ThreadPoolExecutor(jobs) as pool, progress:
        futures: dict[Cell, Future[None]] = {}
        try:
            for cell in waiting:
                futures[cell] = pool.submit(
                    _run_cell,
                    task=tasks[cell],
                    processes=processes,
                    root=root,
                    threads=threads,
                    needed=futures.get(cell.dependency),
                    running=running,
                )
            pending = {futures[cell]: cell for cell in waiting}
            while pending:
                finished, _ = wait(pending, progress.seconds_left, return_when=FIRST_COMPLETED)
                for future in finished:
                    cell = pending.pop(future)
                    future.result()
                    number = len(waiting) - len(pending)
                    progress.show_line(f"[{number}/{len(waiting)}] {cell}: {describe(cell)}")
                progress.show([_state(cell, since) for cell, since in [*running.items()]])
        except BaseException as error:
            if isinstance(error, Interrupted | KeyboardInterrupt):
                processes.stop()
            pool.shutdown(cancel_futures=True)
            raise


def _tasks(
    todo: Mapping[C, Sequence[Command]], resolve: Callable[[Command], Settings]
) -> dict[C, _Task]:
    resolved: dict[Cell, list[ResolvedCommand]] = {
        cell: [{"command": [*command], "settings": resolve(command)} for command in commands]
        for cell, commands in todo.items()
    }
    tasks = {}
    for cell, commands in todo.items():
        # another run of the dependency makes another generator
        needed = resolved[cell.dependency][:1] if cell.dependency != cell else []
        tasks[cell] = _Task(cell, commands, [*needed, *resolved[cell]])
    return tasks


def _run_cell(
    task: _Task,
    processes: Processes,
    root: Path,
    threads: int,
    needed: Future[None] | None,
    running: dict[Cell, float],
) -> None:
    """Run the commands of a cell that are left, once the cell it depends on has finished."""
    if needed is not None:
        needed.result()
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    folder = files.make_folder(task.cell.folder)
    log = folder / LOG
    try:
        for place in range(len(task.resolved) - len(task.left), len(task.resolved)):
            running[task.cell] = time.time()
            script, *overrides = task.resolved[place]["command"]
            words = [sys.executable, *_program(root, script), *overrides]
            with log.open("a") as stream:
                code = processes.call(words, environment, stream)
            if code:
                last = next((line for line in last_lines(log) if line.strip()), "no output")
                line = " ".join([script, *overrides])
                raise InputError(f"{task.cell}: {line} failed: {last} (see {log})")
            files.write_json(folder / DONE, _record(task.recorded, task.resolved[: place + 1]))
    finally:
        running.pop(task.cell, None)


def _record(
    recorded: Sequence[ResolvedCommand], done: Sequence[ResolvedCommand]
) -> list[ResolvedCommand]:
    """Return the new record after the last of these commands has finished."""
    script = done[-1]["command"][0]
    if script not in EVALUATIONS:
        return [*done]  # later commands used the model that was trained before
    return [*(r for r in recorded if r["command"][0] != script), done[-1]]


def _state(cell: Cell, since: float) -> str:
    """Return the state of a running cell: the last line that its command printed."""
    log = cell.folder / LOG
    lines = last_lines(log) if log.is_file() and log.stat().st_mtime >= since else []
    last = next((line.strip() for line in lines if line.strip()), "started")
    return f"{cell}: {last[:160]}"


def _program(root: Path, script: str) -> list[str]:
    """Return the words that start a script: its file, or its command where there is no checkout."""
    path = root / script
    return [str(path)] if path.is_file() else ["-m", "infomin", path.stem]
