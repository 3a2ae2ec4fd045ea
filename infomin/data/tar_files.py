"""Files inside tar archives, read in any order by an index of their places.

The format is that of WebDataset: files with one name up to its first dot are one sample, such as
`cat/7.jpg` and `cat/7.cls`. Archives are not compressed, so that every place can be read alone.
"""

import tarfile
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np

from infomin.core.errors import UnreadableFile

_BLOCK = 512  # bytes


class Member(NamedTuple):
    """A file inside a tar archive.

    Attributes:
        archive: path of the archive.
        start, length: place of the content, in bytes.
        name: of the file.
    """

    archive: Path
    start: int
    length: int
    name: str

    def __str__(self) -> str:
        return f"{self.archive}: {self.name}"

    def read(self) -> bytes:
        """Return the content.

        Raises:
            EOFError: when the archive is shorter than it was.
        """
        with self.archive.open("rb") as stream:
            stream.seek(self.start)
            content = stream.read(self.length)
        if len(content) < self.length:
            raise EOFError(f"the archive ends at {self.start + len(content)} bytes")
        return content

    def open(self, mode: str = "rb") -> BytesIO:
        """Return the content as a stream, as `Path.open` does."""
        return BytesIO(self.read())


class Members(Sequence[Member]):
    """Files inside archives, in little memory: numbers in one array, names in one text.

    Arguments:
        archives: paths of the archives.
        places: number of the archive, start and length of every file, `n 3`, int64.
        names: of the files, each ended by a line break.
    """

    def __init__(self, archives: Sequence[Path], places: np.ndarray, names: np.ndarray) -> None:
        self.archives, self.places, self.names = archives, places, names
        self.ends = np.flatnonzero(names == ord("\n"))

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> Member: ...
    @overload
    def __getitem__(self, index: slice) -> list[Member]: ...
    def __getitem__(self, index: int | slice) -> Member | list[Member]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        archive, start, length = map(int, self.places[index])
        first = int(self.ends[index - 1]) + 1 if index % len(self) else 0
        name = self.names[first : int(self.ends[index])].tobytes().decode("utf-8", "replace")
        return Member(self.archives[archive], start, length, name)


def samples(archive: Path) -> Iterator[tuple[str, dict[str, Member]]]:
    """Yield the samples of an archive: their name, and their files by suffix.

    Folders, links and names that begin with two underscores are left out.

    Raises:
        UnreadableFile: for a file that is no tar archive, is compressed or ends too early.
    """

    def key(member: Member) -> str:
        folder, _, name = member.name.rpartition("/")
        return f"{folder}/{name.split('.')[0]}"

    for name, files in groupby(members(archive), key):
        by_suffix = {file.name.rpartition("/")[2].partition(".")[2].lower(): file for file in files}
        yield name.removeprefix("/"), by_suffix


def members(archive: Path) -> Iterator[Member]:
    """Yield the files of an archive in order; reads their headers only.

    Raises:
        UnreadableFile: see `samples`.
    """
    size = archive.stat().st_size
    try:
        with tarfile.TarFile.taropen(archive) as tar:
            for info in tar:
                tar.members.clear()  # type: ignore[attr-defined]  # it would hold every header
                name = info.name.removeprefix("./")
                if info.offset_data + info.size > size:
                    raise tarfile.ReadError(f"{name} ends behind the end of the archive")
                if info.isreg() and not name.rpartition("/")[2].startswith(("__", ".")):
                    yield Member(archive, info.offset_data, info.size, name)
            end = tar.offset
        if size % _BLOCK or size < end:  # a header that is cut off ends the walk without a word
            raise tarfile.ReadError(f"it has {size} bytes, not whole blocks of {_BLOCK}")
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise UnreadableFile(
            f"{archive}: is no tar archive that can be read ({error}); compressed archives have to "
            "be unpacked first"
        ) from None
