"""Files that are whole or absent: written under a temporary name, then renamed."""

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from typing import Any, BinaryIO

from infomin.core.errors import InputError


def write(path: Path, fill: Callable[[BinaryIO], object]) -> None:
    """Let a function write a file, or leave what was there and raise.

    Raises:
        InputError: when the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{get_ident()}")
    try:
        with temporary.open("wb") as stream:
            fill(stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise InputError(
            f"{path}: could not be written ({error.strerror or error}); nothing was changed; "
            f"free some space or choose another folder"
        ) from None


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file, or leave what was there and raise, as `write` does."""
    write(path, lambda stream: stream.write(content))


def write_figure(path: Path, figure: Any) -> None:
    """Write a matplotlib figure as PNG, cut to what is drawn, as `write` does."""
    cut = {"bbox_inches": "tight", "pad_inches": 0.08}
    write(path, lambda stream: figure.savefig(stream, format="png", **cut))


def append(path: Path, text: str) -> None:
    """Add text to the end of a file.

    Raises:
        InputError: when the disk is full or the file cannot be written.
    """
    try:
        with path.open("a") as stream:
            stream.write(text)
    except OSError as error:
        raise InputError(
            f"{path}: could not be written ({error.strerror or error}); free some space"
        ) from None


def write_json(path: Path, content: Any) -> None:
    """Write JSON, indented, keys in the order given."""
    write_bytes(path, (json.dumps(content, indent=2) + "\n").encode())


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises:
        InputError: when the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (ValueError, OSError, RecursionError) as error:
        raise InputError(f"{path}: is not a JSON file ({error})") from None


def unreadable(path: Path, most: int) -> str | None:
    """Tell why a file from a stranger is better not opened, in a few words; None when it may be.

    Pipes and devices may never answer and never end, and so may files of no size (`/proc`).

    Arguments:
        path: of the file, or a symbolic link to it.
        most: bytes that it may have.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return "is missing there"
    except (OSError, ValueError) as error:
        return f"cannot be read ({error})"
    if not stat.S_ISREG(found.st_mode):
        return "is no regular file"
    if not 0 < found.st_size <= most:
        return f"has {found.st_size} bytes, which is not within 1 to {most}"
    return None


def make_folder(path: Path) -> Path:
    """Make a folder and prove that it can be written.

    Raises:
        InputError: when it cannot.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except OSError as error:
        raise InputError(
            f"{path}: this folder cannot be written ({error.strerror}); choose another"
        ) from None


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Fill a folder under a temporary name; it takes its own name only when all went well.

    Raises:
        InputError: when something of that name is there already, or the parent is not writable.
    """
    if path.exists() or path.is_symlink():
        raise InputError(f"{path}: is there already; choose another name or remove it")
    make_folder(path.parent)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        temporary.rename(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def cache_folder(cache: str | None) -> Path:
    """Return the folder of the cache: as told, or the user's usual one."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache).expanduser() if cache else Path(base) / "infomin"


def sweep(folder: Path) -> None:
    """Remove what a killed process left under temporary names."""
    for left in folder.glob(".*.*"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()
