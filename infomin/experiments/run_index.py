"""An index of the runs in a folder, whoever wrote them: finished runs, and the reason for the rest.

A folder with one of the records of `infomin.runs.folder` is a run, at any depth. Its kind is the
name of its parent folder. A file that cannot be read leaves its run out and does nothing else.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infomin.core import files
from infomin.core.errors import InputError
from infomin.core.page.text import cut
from infomin.runs import settings
from infomin.runs.folder import DIVERGED, METRICS, PROVENANCE
from infomin.runs.lookup import CONFIG, RESULT
from infomin.runs.settings import Setting

PAGE, TABLE = "report.html", "table.md"
_RECORDS = {CONFIG, RESULT, METRICS, PROVENANCE}
_OURS = {"done.json", "log.txt", "multirun.yaml"}  # of grids and of sweeps
_MOST_RUNS, _MOST_FOLDERS = 1000, 20_000
_MOST_BYTES = {CONFIG: 2**15, RESULT: 2**21, PROVENANCE: 2**18}  # ours have a few thousand


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A run with a result."""

    folder: Path
    kind: str  # name of its command, such as `pretrain`
    settings: Mapping[str, Setting]  # its flat configuration, later with that of upstream runs
    result: Mapping[str, Any]
    provenance: Mapping[str, Any]  # empty if unreadable
    seed: int | None  # of training; None if unknown

    @property
    def out(self) -> Path:
        """The folder that holds runs of all kinds."""
        return self.folder.parent.parent


@dataclass
class RunIndex:
    """The finished runs of a folder, and every other path with the reason to leave it out."""

    runs: list[FinishedRun] = field(default_factory=list)
    left_out: list[tuple[Path, str]] = field(default_factory=list)


def scan(root: Path) -> RunIndex:
    """Index the runs in a folder, at any depth.

    Raises:
        InputError: if the folder does not exist.
    """
    if not root.is_dir():
        raise InputError(
            f"runs: expected a folder that holds runs, got {root}; name one, such as runs=runs"
        )
    index = RunIndex()
    for count, (path, folders, names) in enumerate(os.walk(root)):
        folder = Path(path)
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        links = [folder / name for name in folders if (folder / name).is_symlink()]
        index.left_out += [(link, "is a symbolic link, which is not followed") for link in links]
        if count >= _MOST_FOLDERS or len(index.runs) >= _MOST_RUNS:
            reason = f"more than {_MOST_RUNS} runs or {_MOST_FOLDERS} folders: the rest is left out"
            index.left_out.append((folder, reason))
            break
        if _RECORDS & set(names):
            folders.clear()
            _add(folder, names, index)
        elif PAGE in names:
            folders.clear()
        else:
            report = {name for name in names if TABLE in names and name.endswith((".png", ".md"))}
            foreign = [
                n for n in sorted(names) if n not in _OURS | report and not n.startswith(".")
            ]
            index.left_out += [(folder / n, "is not part of a run") for n in foreign]
            if not (folders or names) and folder != root:
                index.left_out.append((folder, "is an empty folder"))
    return index


def read_run(folder: Path) -> FinishedRun:
    """Read one finished run.

    Raises:
        InputError: if its configuration or its result is unreadable.
    """
    config, result = settings.flat(settings.read(_text(folder / CONFIG))), _json(folder / RESULT)
    try:
        provenance = _json(folder / PROVENANCE)
    except InputError:
        provenance = {}
    seed = config.get("seed", result.get("seed"))
    known = seed if isinstance(seed, int) and not isinstance(seed, bool) else None
    return FinishedRun(folder, folder.absolute().parent.name, config, result, provenance, known)


def newest_run(folder: Path) -> FinishedRun:
    """Read the newest finished run in a folder of runs of one kind.

    Raises:
        InputError: if there is none.
    """
    finished = sorted(folder.glob(f"*/{RESULT}"), key=lambda path: path.stat().st_mtime_ns)
    if not finished:
        raise InputError(f"{folder}: no finished run")
    try:
        return read_run(finished[-1].parent)
    except InputError as error:
        raise InputError(f"{finished[-1].parent}: {error}") from None


def last_lines(path: Path, length: int = 2**14) -> Sequence[str]:
    """Return the last lines of a growing text file, the newest first; empty if unreadable."""
    if files.reason_not_to_read(path, 2**40):
        return []
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - length))
            return stream.read(length).decode(errors="replace").splitlines()[::-1]
    except OSError:
        return []


def _add(folder: Path, names: Sequence[str], index: RunIndex) -> None:
    """Add one run to the index, or the reason why it is left out."""
    if RESULT not in names:
        state = "diverged: the loss was not finite, " if DIVERGED in names else "unfinished: "
        index.left_out.append((folder, state + _last_step(folder / METRICS)))
        return
    try:
        index.runs.append(read_run(folder))
    except InputError as error:
        index.left_out.append((folder, cut(f"unreadable: {error}", 160)))


def _last_step(path: Path) -> str:
    """Return the step of the last whole line of logged metrics in words."""
    for line in last_lines(path):
        try:
            step = json.loads(line)["step"]
        except (ValueError, RecursionError, LookupError, TypeError):
            continue
        if isinstance(step, int):
            return f"last logged step {step}"
    return "no step was logged"


def _text(path: Path) -> str:
    if reason := files.reason_not_to_read(path, _MOST_BYTES[path.name]):
        raise InputError(f"{path.name} {reason}")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} cannot be read ({error})") from None


def _json(path: Path) -> dict[str, Any]:
    text = _text(path)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path.name} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path.name} is not a mapping")
    return content
