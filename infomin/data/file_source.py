"""Images that are decoded when a batch wants them: for folders that no disk holds decoded."""

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import torch
from jaxtyping import Int64, Num
from torch import Tensor

from infomin.core.errors import InputError, InputWarning
from infomin.data import values
from infomin.data.decode import UnreadableFile
from infomin.data.reading import in_threads
from infomin.data.source import Index, Source, read_ahead


class FileSource(Source):
    """Images in files, decoded in threads, ahead of their use.

    A bad file is replaced by the next good one of its label in the source, or refused.

    Arguments:
        paths: the files.
        decode: returns the image of a file.
        example: an image like all others.
        labels: of the files.
        skip_bad: replace unreadable files, with a warning that names them.
        rows: files that belong to the source; None is all.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        decode: Callable[[Path], Num[Tensor, "c h w"]],
        example: Num[Tensor, "c h w"],
        labels: Int64[Tensor, " n"],
        skip_bad: bool = False,
        rows: Index | None = None,
    ) -> None:
        self.paths, self.decode, self.example = paths, decode, example
        self.labels, self.skip_bad = labels, skip_bad
        self.rows = torch.arange(len(paths)) if rows is None else rows
        self.shape = torch.Size((len(self.rows), *example.shape))
        self.dtype, self.device = example.dtype, torch.device("cpu")

    def read(self, wanted: Iterable[Index], device: torch.device | None = None) -> Iterator[Tensor]:
        """Decode the images of every index, ahead of their use.

        Raises:
            InputError: for a file that is not like the others, or cannot be read; names it.
        """
        return read_ahead(self._batches(wanted), device or self.device)

    def subset(self, index: Index) -> "FileSource":
        """Return a source of some of the files."""
        rows = self.rows[index.cpu()]
        return FileSource(self.paths, self.decode, self.example, self.labels, self.skip_bad, rows)

    def _batches(self, wanted: Iterable[Index]) -> Iterator[Tensor]:
        sizes = deque[int]()

        def rows() -> Iterator[int]:
            for index in wanted:
                sizes.append(len(index))
                yield from self.rows[index].tolist()

        with in_threads(self._image, rows()) as images:
            for first in images:
                yield torch.stack([first, *islice(images, sizes.popleft() - 1)])

    def _image(self, row: int) -> Tensor:
        try:
            return self._checked(row)
        except UnreadableFile as error:
            if not self.skip_bad:
                raise InputError(
                    f"{error}; data.skip_bad=true replaces it by another image of its class"
                ) from None
            for other in self._others(row):
                try:
                    image = self._checked(other)
                except UnreadableFile:
                    continue
                name = self.paths[other].name
                warnings.warn(f"{error}; {name} takes its place", InputWarning, stacklevel=2)
                return image
            raise InputError(f"{error}; no image of its class can be read") from None

    def _checked(self, row: int) -> Tensor:
        path, name = self.paths[row], str(self.paths[row])
        image = self.decode(path)
        values.check_square(image, name)
        values.check_alike(image, name, self.example, "the first image")
        return image

    def _others(self, row: int) -> list[int]:
        """Return the files of the source with the label of a file, the next one first."""
        alike = self.rows[self.labels[self.rows] == self.labels[row]].sort().values
        return [*alike[alike > row].tolist(), *alike[alike < row].tolist()]
