"""Which runs a folder holds, whoever wrote them: those that finished, and why others are left out.

A folder with one of the records of `infomin.runs.folder` is a run, however deep it
lies; its kind is the name of the folder around it. Nothing that is read here can do more than be
left out.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infomin.core import files
from infomin.core.errors import InputError
from infomin.core.page.text import cut
from infomin.runs import settings
from infomin.runs.folder import CONFIG, DIVERGED, METRICS, PROVENANCE, RESULT
from infomin.runs.settings import Setting

PAGE, TABLE = "report.html", "table.md"
_RECORDS = {CONFIG, RESULT, METRICS, PROVENANCE}
_OURS = {"done.json", "log.txt", "multirun.yaml"}  # of grids and of several runs in one command
_MOST_RUNS, _MOST_FOLDERS = 1000, 20_000
_MOST = {CONFIG: 2**15, RESULT: 2**21, PROVENANCE: 2**18}  # bytes; honest ones have a few thousand


@dataclass(frozen=True, eq=False)
class Finished:
    """A run with a result.

    Attributes:
        folder: where it is.
        kind: of which script, such as `pretrain`.
        settings: its configuration, flat, and where its views come from.
        result: what came out.
        origin: its provenance, empty where that cannot be read.
        seed: of training; None where none was recorded.
    """

    folder: Path
    kind: str
    settings: Mapping[str, Setting]
    result: Mapping[str, Any]
    origin: Mapping[str, Any]
    seed: int | None

    @property
    def out(self) -> Path:
        """The folder that runs of all kinds went to."""
        return self.folder.parent.parent


@dataclass
class Found:
    """What a folder holds.

    Attributes:
        runs: those that finished, in the order of their names.
        left_out: what else there is, and why it is not shown.
    """

    runs: list[Finished] = field(default_factory=list)
    left_out: list[tuple[Path, str]] = field(default_factory=list)


def search(root: Path) -> Found:
    """Return the runs at any depth of a folder.

    Raises:
        InputError: when there is no such folder.
    """
    if not root.is_dir():
        raise InputError(f"runs: {root} is no folder; name one that holds runs, such as runs=runs")
    found = Found()
    for count, (folder, folders, names) in enumerate(_walk(root)):
        links = [folder / name for name in folders if (folder / name).is_symlink()]
        found.left_out += [(link, "is a symbolic link, which is not followed") for link in links]
        if count >= _MOST_FOLDERS or len(found.runs) >= _MOST_RUNS:
            reason = f"more than {_MOST_RUNS} runs or {_MOST_FOLDERS} folders: the rest is left out"
            found.left_out.append((folder, reason))
            break
        if _RECORDS & set(names):
            folders.clear()
            _take(folder, names, found)
        elif PAGE in names:
            folders.clear()
        else:
            ours = {name for name in names if TABLE in names and name.endswith((".png", ".md"))}
            foreign = [n for n in names if n not in _OURS | ours and not n.startswith(".")]
            found.left_out += [(folder / n, "is no part of a run") for n in foreign]
            if not (folders or names) and folder != root:
                found.left_out.append((folder, "is an empty folder"))
    return found


def _walk(root: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        yield Path(folder), folders, sorted(names)


def _take(folder: Path, names: list[str], found: Found) -> None:
    """Read one run, or say why it is left out."""
    if RESULT not in names:
        found.left_out.append((folder, _unfinished(folder, DIVERGED in names)))
        return
    try:
        config = settings.flat(settings.read(_text(folder / CONFIG)))
        result = json.loads(_text(folder / RESULT))
        if not isinstance(result, dict):
            raise InputError(f"{RESULT} is no mapping")
    except (ValueError, RecursionError) as error:
        name = "" if isinstance(error, InputError) else f"{RESULT} is not JSON: "
        found.left_out.append((folder, cut(f"unreadable: {name}{error}", 160)))
        return
    seed = config.get("seed", result.get("seed"))
    known = seed if isinstance(seed, int) and not isinstance(seed, bool) else None
    kind = folder.absolute().parent.name
    found.runs.append(Finished(folder, kind, config, result, _origin(folder), known))


def _text(path: Path) -> str:
    """Return a record as text.

    Raises:
        InputError: when it is better not opened, or cannot be.
    """
    if reason := files.unreadable(path, _MOST[path.name]):
        raise InputError(f"{path.name} {reason}")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} cannot be read ({error})") from None


def _origin(folder: Path) -> dict[str, Any]:
    try:
        told = json.loads(_text(folder / PROVENANCE))
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _unfinished(folder: Path, diverged: bool) -> str:
    step = _last_step(folder / METRICS)
    where = f"last logged step {step}" if step is not None else "no step was logged"
    return f"diverged: the loss was no number, {where}" if diverged else f"unfinished: {where}"


def _last_step(path: Path) -> int | None:
    """Return the step of the last whole line, read from the end of the file."""
    if files.unreadable(path, 2**40):
        return None
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - 2**14))
            lines = stream.read(2**14).splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        try:
            step = json.loads(line)["step"]
        except (ValueError, RecursionError, LookupError, TypeError):
            continue
        if isinstance(step, int):
            return step
    return None
