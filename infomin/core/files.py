"""Complete files or none: write under a temporary name, then rename."""

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import get_ident
from typing import Any, BinaryIO

from infomin.core.errors import InputError


def write(path: Path, fill: Callable[[BinaryIO], object]) -> None:
    """Let a function fill a file. On an error, keep the old file and raise.

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
    """Write bytes, as `write` does."""
    write(path, lambda stream: stream.write(content))


def write_text(path: Path, text: str) -> None:
    """Write text to a file in UTF-8, as `write` does."""
    write_bytes(path, text.encode())


def write_figure(path: Path, figure: Any) -> None:
    """Write a matplotlib figure as PNG without its empty margins, as `write` does."""
    crop = {"bbox_inches": "tight", "pad_inches": 0.08}
    write(path, lambda stream: figure.savefig(stream, format="png", **crop))


def append(path: Path, text: str) -> None:
    """Append text to a file in UTF-8, or raise an InputError."""
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise InputError(
            f"{path}: could not be written ({error.strerror or error}); free some space"
        ) from None


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON and keep the order of keys."""
    write_text(path, json.dumps(content, indent=2) + "\n")


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


def reason_not_to_read(path: Path, most: int) -> str | None:
    """Return the reason not to open an untrusted file, or None.

    Reading a pipe, a device or a file of size 0 (`/proc`) may block or never end.

    Arguments:
        path: the file, or a symbolic link to it.
        most: largest allowed size in bytes.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return "is missing there"
    except (OSError, ValueError) as error:
        return f"cannot be read ({error})"
    if not stat.S_ISREG(status.st_mode):
        return "is no regular file"
    if not 0 < status.st_size <= most:
        return f"has {status.st_size} bytes, which is not within 1 to {most}"
    return None


def make_folder(path: Path) -> Path:
    """Make a folder and check that it is writable.

    Raises:
        InputError: when it is not.
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
    """Yield a temporary folder; rename it to `path` when the block ends without an error.

    Raises:
        InputError: when `path` exists already, or its parent is not writable.
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
    """Return the cache folder: the given one, or the user's own.

    Raises:
        InputError: when none is given and the user has no home folder.
    """
    try:
        if cache:
            return Path(cache).expanduser()
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "infomin"
    except RuntimeError:
        raise InputError(
            f"cache: expected a home folder, found none (cache={cache or 'null'}); set "
            "XDG_CACHE_HOME or give a folder without ~"
        ) from None


def shown(path: Path) -> Path:
    """Return a path for people: relative to the working directory where that is shorter."""
    relative = str(path)
    with suppress(OSError, ValueError):  # the working directory is gone, or on another drive
        relative = os.path.relpath(path)
    return Path(min(str(path), relative, key=len))


def remove_temporary(folder: Path) -> None:
    """Remove temporary files and folders that a killed process left behind."""
    for path in folder.glob(".*.*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
