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
from infomin.core.names import utf8

_LONGEST = 255  # bytes of a name, on every common file system
_MOST = 20  # letters of a name in that of its temporary file, which is longer


class NotWritten(InputError):
    """A file cannot be written; the disk is full, or the folder is not writable."""


def write(path: Path, fill: Callable[[BinaryIO], object]) -> None:
    """Let a function fill a file. On an error, keep the old file and raise.

    Raises:
        NotWritten: when the disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name[:_MOST]}.{os.getpid()}.{get_ident()}")
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
        raise NotWritten(
            f"{path}: could not be written ({error.strerror or error}); nothing was changed; "
            f"free some space or choose another folder"
        ) from None


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes, as `write` does."""
    write(path, lambda stream: stream.write(content))


def write_text(path: Path, text: str) -> None:
    """Write text to a file in UTF-8, as `write` does."""
    write_bytes(path, encoded(text))


def encoded(text: str) -> bytes:
    """Return text in UTF-8, with escapes for the parts of names that are no UTF-8."""
    return text.encode("utf-8", "backslashreplace")


def write_figure(path: Path, figure: Any) -> None:
    """Write a matplotlib figure as PNG without its empty margins, as `write` does."""
    crop = {"bbox_inches": "tight", "pad_inches": 0.08}
    write(path, lambda stream: figure.savefig(stream, format="png", **crop))


def append(path: Path, text: str) -> None:
    """Append text to a file in UTF-8, all of it or nothing.

    Raises:
        InputError: when the disk is full or the file cannot be written.
    """
    content = encoded(text)
    try:
        with path.open("ab", buffering=0) as stream:
            end = stream.seek(0, os.SEEK_END)
            try:
                while content:  # a disk that is nearly full takes a part
                    content = content[stream.write(content) :]
            except OSError:
                with suppress(OSError):  # of a device
                    stream.truncate(end)
                raise
    except OSError as error:
        raise InputError(
            f"{path}: could not be written ({error.strerror or error}); free some space"
        ) from None


def write_json(path: Path, content: Any) -> None:
    """Write indented JSON and keep the order of keys."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def read_text(path: Path) -> str:
    """Read text in UTF-8.

    Raises:
        InputError: when the file cannot be read, or is of another encoding.
    """
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: expected text in UTF-8, got another encoding ({error}); save it as UTF-8"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None


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
def making_folder(path: Path) -> Iterator[None]:
    """Make a folder as `make_folder`; when the block ends with an error, remove what was made."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    make_folder(path)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # something else is inside
            for folder in missing:
                folder.rmdir()
        raise


def check_folder(path: Path) -> None:
    """Check that a folder can be written, or made, and make nothing.

    Raises:
        InputError: when it cannot.
    """
    nearest = next(folder for folder in (path, *path.parents) if folder.exists())
    if not (nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)):
        raise InputError(f"{path}: this folder cannot be written; choose another")


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder; rename it to `path` when the block ends without an error.

    Raises:
        InputError: when `path` exists already, or its parent is not writable.
    """
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        make_folder(path.parent)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be the name of a folder ({error.strerror}); choose another"
        ) from None
    else:
        raise InputError(f"{path}: is there already; choose another name or remove it")
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name[:_MOST]}.", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        temporary.rename(path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def expanded(path: str) -> str:
    """Return a path with the home folder in place of `~`, as the file system takes it.

    Raises:
        InputError: for `~` without a home folder, or a name that is too long.
    """
    try:
        os.fsencode(path)
    except UnicodeEncodeError:  # letters of a file, under a locale that lacks them
        path = os.fsdecode(utf8(path))
    if path.split("/")[0] == "~":
        try:
            path = f"{Path.home()}{path[1:]}"
        except RuntimeError:
            raise InputError(
                f"{path}: expected a home folder for ~, found none; set HOME, or give a path "
                "without ~"
            ) from None
    if not os.path.lexists(path):
        path = os.path.expanduser(path)  # noqa: PTH111  keeps `~name` where no user has this name
    if max(map(len, os.fsencode(path).split(b"/"))) > _LONGEST:
        raise InputError(f"{path}: has a name that is too long for a file; choose a shorter one")
    return path


def user_path(path: str | Path) -> Path:
    """Return a path that a user gave; see `expanded`."""
    return Path(expanded(str(path)))


def plain_path(folder: Path) -> str:
    """Return a path of a folder for libraries that take no bytes outside UTF-8, or no `${`.

    On Linux an open folder has a second path.
    """
    with suppress(UnicodeEncodeError):
        if b"${" not in str(folder).encode():
            return str(folder)
    second = f"/proc/self/fd/{os.open(folder, os.O_RDONLY)}"  # until the process ends
    return second if Path(second).is_dir() else str(folder)


def cache_folder(cache: str | None) -> Path:
    """Return the cache folder: the given one, or the user's own.

    Raises:
        InputError: when none is given and the user has no home folder.
    """
    given = cache or os.environ.get("XDG_CACHE_HOME")
    try:
        folder = user_path(given or "~/.cache")
    except InputError:
        raise InputError(
            f"cache: expected a home folder, found none (cache={cache or 'null'}); set "
            "XDG_CACHE_HOME or give a folder without ~"
        ) from None
    return folder if cache else folder / "infomin"


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
