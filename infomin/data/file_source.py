"""Images that are decoded when a batch wants them, by worker processes."""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Int64, Num
from torch import Tensor
from torch.utils.data import DataLoader

from infomin.core.errors import InputError, InputWarning, UnreadableFile
from infomin.core.stop_signals import blocked_signals
from infomin.data import values
from infomin.data.source import Index, Source

Decoded = tuple[Tensor | InputError, list[str]]
"""A batch, or the error that ends it, and warnings."""


class FileSource(Source):
    """Images in files, decoded by worker processes, ahead of their use.

    A bad file is replaced by the next good one of its label in the source, or refused. So the same
    image takes its place in every process and after resuming.

    Arguments:
        items: one for each image, such as the path of its file; its text names it.
        decode: returns the image of an item.
        example: an image like all others.
        labels: of the images.
        skip_bad: replace unreadable files, with a warning that names them.
        workers: number of processes; None is one per core, 0 decodes in this process.
        rows: items that belong to the source; None is all.
    """

    def __init__(
        self,
        items: Sequence[Any],
        decode: Callable[[Any], Num[Tensor, "c h w"]],
        example: Num[Tensor, "c h w"],
        labels: Int64[Tensor, " n"],
        skip_bad: bool = False,
        workers: int | None = None,
        rows: Index | None = None,
    ) -> None:
        self.items, self.decode, self.example = items, decode, example
        self.labels, self.skip_bad, self.workers = labels, skip_bad, workers
        self.rows = torch.arange(len(items)) if rows is None else rows
        self.shape = torch.Size((len(self.rows), *example.shape))
        self.dtype, self.device = example.dtype, torch.device("cpu")

    def read(self, wanted: Iterable[Index], device: torch.device | None = None) -> Iterator[Tensor]:
        """Decode the images of every index, ahead of their use.

        Raises:
            InputError: for a file that is not like the others, or cannot be read; names it.
        """
        device = device or self.device
        workers = os.cpu_count() if self.workers is None else self.workers
        loader: Iterable[Decoded] = DataLoader(
            self,  # type: ignore[arg-type]  # by __getitems__
            batch_sampler=(self.rows[index].tolist() for index in wanted),
            num_workers=workers or 0,
            collate_fn=_as_it_is,
            pin_memory=device.type == "cuda",
            generator=torch.Generator(),  # leaves the one of the process alone
        )
        with blocked_signals():  # in the workers, which start here
            batches = iter(loader)
        for images, messages in batches:
            for message in messages:
                warnings.warn(message, InputWarning, stacklevel=2)
            if isinstance(images, InputError):
                raise images
            yield images.to(device, non_blocking=True)

    def subset(self, index: Index) -> "FileSource":
        """Return a source of some of the files."""
        return FileSource(
            self.items,
            self.decode,
            self.example,
            self.labels,
            skip_bad=self.skip_bad,
            workers=self.workers,
            rows=self.rows[index.cpu()],
        )

    def __getitems__(self, rows: list[int]) -> Decoded:
        """Return the images of files; a worker process calls it."""
        messages: list[str] = []
        if not rows:
            return self.example.new_empty(0, *self.example.shape), messages
        try:
            return torch.stack([self._image(row, messages) for row in rows]), messages
        except InputError as error:
            return error, messages

    def _image(self, row: int, messages: list[str]) -> Tensor:
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
                messages.append(f"{error}; {short_name(self.items[other])} takes its place")
                return image
            raise InputError(f"{error}; no image of its class can be read") from None

    def _checked(self, row: int) -> Tensor:
        item = self.items[row]
        image, name = self.decode(item), str(item)
        values.check_square(image, name)
        values.check_alike(image, name, self.example, "the first image")
        return image

    def _others(self, row: int) -> list[int]:
        """Return the files of the source with the label of a file, the next one first."""
        alike = self.rows[self.labels[self.rows] == self.labels[row]].sort().values
        return [*alike[alike > row].tolist(), *alike[alike < row].tolist()]


def short_name(item: Any) -> str:
    """Return the name of an item, for messages: that of a path without its folders."""
    return getattr(item, "name", None) or str(item)


def _as_it_is(batch: Any) -> Any:
    return batch
