"""Images, however many there are: the contract of a source, and images in one tensor.

A source returns the images of wanted indices, in their order. It reads ahead and remembers nothing:
batch t is a function of (seed, purpose, t), whatever was read before it.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import prod

import torch
from jaxtyping import Num
from torch import Tensor

from infomin.core.batching import take

Index = Tensor
"""Indices of images, int64."""
CHUNK = 512
"""Images that are read at a time where all of them are."""


class Source(ABC):
    """Images of one shape and type.

    Attributes:
        shape: `n c h w`.
        dtype: of the values, as in files.
        device: where the images are until they are wanted.
    """

    shape: torch.Size
    dtype: torch.dtype
    device: torch.device

    def __len__(self) -> int:
        return self.shape[0]

    @abstractmethod
    def read(self, wanted: Iterable[Index], device: torch.device | None = None) -> Iterator[Tensor]:
        """Return the images of every index in `wanted`, one batch `b c h w` each, in order.

        Arguments:
            wanted: indices of images; may be endless.
            device: of the batches; None is that of the source.
        """

    @abstractmethod
    def subset(self, index: Index) -> "Source":
        """Return a source of some of the images; copies none."""

    def load(self, device: torch.device) -> "TensorSource":
        """Return all images in the memory of a device."""
        return TensorSource(in_one_tensor(self, device))


class TensorSource(Source):
    """Images in one tensor: in memory, on any device, or mapped from a file.

    Arguments:
        images: `n c h w`.
        rows: those of the tensor that belong to the source; None is all.
        mapped: the tensor is mapped from a file, so that reading may wait for the disk.
    """

    def __init__(
        self, images: Num[Tensor, "n c h w"], rows: Index | None = None, mapped: bool = False
    ) -> None:
        self.tensor, self.rows, self.mapped = images, rows, mapped
        n = len(images) if rows is None else len(rows)
        self.shape = torch.Size((n, *images.shape[1:]))
        self.dtype, self.device = images.dtype, images.device

    def read(self, wanted: Iterable[Index], device: torch.device | None = None) -> Iterator[Tensor]:
        """Return the images of every index; reads ahead from a file and for another device."""
        rows, device = self.rows, device or self.device
        places = wanted if rows is None else (rows[index] for index in wanted)
        batches = map(partial(take, self.tensor), places)
        return batches if device == self.device and not self.mapped else read_ahead(batches, device)

    def subset(self, index: Index) -> "TensorSource":
        """Return a source of some of the images; copies none."""
        index = index.cpu()
        rows = index if self.rows is None else self.rows[index]
        return TensorSource(self.tensor, rows, self.mapped)

    def load(self, device: torch.device) -> "TensorSource":
        """Return all images in the memory of a device."""
        if self.rows is None and device == self.device and not self.mapped:
            return self
        return super().load(device)


def as_source(images: Source | Tensor) -> Source:
    """Return a source; a tensor becomes one."""
    return TensorSource(images) if isinstance(images, Tensor) else images


def in_chunks(
    source: Source, device: torch.device | None = None, size: int = CHUNK
) -> Iterator[Tensor]:
    """Return all images in order, in chunks."""
    return source.read(torch.arange(len(source)).split(size), device)


def in_one_tensor(source: Source, device: torch.device) -> Num[Tensor, "n c h w"]:
    """Copy all images into one tensor, chunk by chunk, so that no second copy is ever in memory."""
    images = torch.empty(source.shape, dtype=source.dtype, device=device)
    start = 0
    for chunk in in_chunks(source, device):
        images[start : start + len(chunk)] = chunk
        start += len(chunk)
    return images


def size_in_bytes(source: Source) -> int:
    """Return the memory that all images take."""
    return prod(source.shape) * source.dtype.itemsize


def read_ahead(batches: Iterator[Tensor], device: torch.device, depth: int = 2) -> Iterator[Tensor]:
    """Make batches in a thread before they are wanted, and copy them to a device.

    Copies to a GPU start from pinned memory and do not wait for it.

    Arguments:
        batches: on the CPU.
        device: of the results.
        depth: number of batches that are made ahead.
    """

    def make() -> Tensor | None:
        batch = next(batches, None)
        return batch.pin_memory() if batch is not None and device.type == "cuda" else batch

    with ThreadPoolExecutor(1, "infomin-read") as thread:  # one, so that the order stays
        ahead = deque(thread.submit(make) for _ in range(depth))
        while (batch := ahead.popleft().result()) is not None:
            ahead.append(thread.submit(make))
            yield batch.to(device, non_blocking=True)
