"""The commands of a cell: the ones that are left, and the record of those that have finished."""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from infomin.core import files
from infomin.core.errors import InputError
from infomin.experiments.run_index import last_lines

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


class Task:
    """The commands of a cell, which run one after another.

    Arguments:
        cell: the cell.
        needed: commands of the cell it depends on; another run of them makes another generator.
        commands: of this cell.
    """

    def __init__(
        self, cell: Cell, needed: Sequence[ResolvedCommand], commands: Sequence[ResolvedCommand]
    ) -> None:
        self.cell, self.needed, self.resolved = cell, len(needed), [*needed, *commands]
        self.since = 0.0
        self.read()

    def read(self) -> None:
        """Read the record of finished commands, which another grid may have made longer."""
        path = self.cell.folder / DONE
        self.recorded = list(files.read_json(path)) if path.is_file() else []
        fresh = (i for i, r in enumerate(self.resolved) if r not in self.recorded)
        self.next = max(next(fresh, len(self.resolved)), self.needed)

    @property
    def left(self) -> list[Command]:
        """The commands to run: from the first one that is not on record."""
        return [resolved["command"] for resolved in self.resolved[self.next :]]

    def start(self, root: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start the next command. A training goes on where it was stopped."""
        script, *overrides = self.left[0]
        path, self.since = root / script, time.time()
        program = [str(path)] if path.is_file() else ["-m", "infomin", path.stem]  # no checkout
        resume = ["resume=auto"] * ("resume" in self.resolved[self.next]["settings"])
        with (files.make_folder(self.cell.folder) / LOG).open("ab") as stream:
            return subprocess.Popen(
                [sys.executable, *program, *resume, *overrides],
                env=environment,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )

    def finish(self, status: int) -> None:
        """Record the command that ended; raise an InputError if it failed."""
        log, command = self.cell.folder / LOG, self.left[0]
        if status:
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
        lines = last_lines(log) if log.is_file() and log.stat().st_mtime >= self.since else []
        last = next((line.strip() for line in lines if line.strip()), "started")
        return f"{self.cell}: {last[:160]}"


def run_all(task: Task, root: Path) -> str:
    """Run the commands that are left; return the text of the error of the first that fails."""
    try:
        task.read()
        while task.left:
            task.finish(task.start(root, os.environ).wait())
    except InputError as error:
        return str(error)
    return ""
