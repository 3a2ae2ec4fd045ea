"""The scheduler of a grid: it runs the commands that have not finished, cells in parallel.

A cell records every finished command with its resolved settings. A command whose record is equal is
not run again. So an interrupted grid continues where it stopped, and grids over the same data share
cells: an encoder can be evaluated in several ways.
"""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from infomin.core import files
from infomin.core.errors import InputError
from infomin.experiments.grid.progress import GridProgress
from infomin.experiments.run_index import last_lines
from infomin.runs.signals import Interrupted, collected

DONE, LOG = "done.json", "log.txt"
EVALUATIONS = ("scripts/linear_eval.py", "scripts/segment.py")
"""Commands that change neither a trained model nor the results of other commands."""
Command = Sequence[str]
"""A script and its overrides."""
Settings = Mapping[str, Any]
"""The resolved configuration of a command, as JSON; the order of keys is ignored."""
ResolvedCommand = Mapping[str, Any]
"""A command and its settings, as recorded once it has finished."""
_POLL = 0.05  # seconds


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


class _Task:
    """The commands of a cell, of which one runs at a time.

    Arguments:
        cell: the cell.
        needed: commands of the cell it depends on; another run of them makes another generator.
        commands: of this cell.
    """

    def __init__(
        self, cell: Cell, needed: Sequence[ResolvedCommand], commands: Sequence[ResolvedCommand]
    ) -> None:
        path = cell.folder / DONE
        self.cell, self.resolved = cell, [*needed, *commands]
        self.recorded = list(files.read_json(path)) if path.is_file() else []
        fresh = (i for i, r in enumerate(self.resolved) if r not in self.recorded)
        self.next = max(next(fresh, len(self.resolved)), len(needed))

    @property
    def left(self) -> list[Command]:
        """The commands to run: from the first one that is not on record."""
        return [resolved["command"] for resolved in self.resolved[self.next :]]

    def start(self, root: Path, environment: Mapping[str, str]) -> None:
        """Start the next command."""
        script, *overrides = self.left[0]
        path, self.since = root / script, time.time()
        program = [str(path)] if path.is_file() else ["-m", "infomin", path.stem]  # no checkout
        with (files.make_folder(self.cell.folder) / LOG).open("ab") as stream:
            self.process = subprocess.Popen(
                [sys.executable, *program, *overrides],
                env=environment,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )

    def finish(self) -> None:
        """Record the command that ended; raise an InputError if it failed."""
        log, command = self.cell.folder / LOG, self.left[0]
        if self.process.returncode:
            last = next((line for line in last_lines(log) if line.strip()), "no output")
            raise InputError(f"{self.cell}: {shlex.join(command)} failed: {last} (see {log})")
        self.next += 1
        done = self.resolved[: self.next]
        if command[0] in EVALUATIONS:
            others = [r for r in self.recorded if r["command"][0] != command[0]]
            self.recorded = [*others, done[-1]]
        else:
            self.recorded = done  # later commands used the model that was trained before
        files.write_json(self.cell.folder / DONE, self.recorded)

    def __str__(self) -> str:
        log = self.cell.folder / LOG
        lines = last_lines(log) if log.stat().st_mtime >= self.since else []
        last = next((line.strip() for line in lines if line.strip()), "started")
        return f"{self.cell}: {last[:160]}"


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
        Interrupted: at SIGTERM or Ctrl-C. Running commands save and stop.
    """
    resolved: dict[Cell, list[ResolvedCommand]] = {
        cell: [{"command": [*command], "settings": resolve(command)} for command in commands]
        for cell, commands in todo.items()
    }
    tasks: dict[C, _Task] = {}
    for cell in todo:
        needed = resolved[cell.dependency][:1] if cell.dependency != cell else []
        tasks[cell] = _Task(cell, needed, resolved[cell])
        for command in tasks[cell].left:
            try:
                check(command)
            except InputError as error:
                raise InputError(f"{cell}: {command[0]}: {error}") from None
    # games first: other cells can run meanwhile, and then those that need a game
    waiting = [cell for cell in todo if tasks[cell].left]
    waiting.sort(key=lambda cell: (cell.seed, cell.dependency != cell, -len(todo[cell])))
    threads, total = max(1, (os.cpu_count() or 1) // jobs), len(waiting)
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = len(todo) - total
    progress.show_line(
        f"{len(todo)} cells, {done} done before, {jobs} at a time, {threads} threads each"
    )
    running: list[C] = []
    failure: Exception | None = None
    with collected() as received, progress:
        while not received and (running or (waiting and not failure)):
            try:
                for cell in [] if failure else [*waiting]:
                    others = {*waiting, *running} - {cell}
                    if len(running) < jobs and cell.dependency not in others:
                        tasks[cell].start(root, environment)
                        waiting.remove(cell)
                        running.append(cell)
                for cell in [*running]:
                    if tasks[cell].process.poll() is None:
                        continue
                    running.remove(cell)
                    tasks[cell].finish()
                    if tasks[cell].left:
                        tasks[cell].start(root, environment)
                        running.append(cell)
                    else:
                        number = total - len(waiting) - len(running)
                        progress.show_line(f"[{number}/{total}] {cell}: {describe(cell)}")
            except Exception as error:  # raised below, once running cells have ended
                failure = failure or error
            progress.show(tasks[cell] for cell in running)
            time.sleep(_POLL)
    if received:
        for cell in running:
            tasks[cell].process.terminate()
        for cell in running:
            tasks[cell].process.wait()
        stopped = "stopped; the same command continues with the remaining cells"
        raise Interrupted(received[0], stopped)
    if failure:
        raise failure
