"""Parts of every reader: registration, its folder, threads, a count of images, random patches.

A data source is a function that returns a `DataSet`. Its arguments are the options of its file in
`conf/data/`, and `progress`. A new source is one file in this folder and one in `conf/data/` with
`_target_: infomin.data.NAME`.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

import torch
from jaxtyping import Num
from torch import Tensor

from infomin.core.errors import InputError
from infomin.core.files import user_path
from infomin.data.images import DataSet

SOURCES: dict[str, Callable[..., DataSet]] = {}
"""Functions that return a data set, by name."""
Progress = Callable[[int, int], None] | None
"""A function of the number of images or files that are done and the number of all, or None."""
_AHEAD = 4  # items a thread that are begun before their results are wanted
P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")


def source(function: Callable[P, DataSet]) -> Callable[P, DataSet]:
    """Register a data source under the name of its function."""
    SOURCES[function.__name__] = function
    return function


def root_folder(root: str | None, content: str) -> Path:
    """Return the folder `data.root`, or raise an InputError that names its expected content."""
    if root is None:
        raise InputError(f"data.root: expected the folder {content}, got none")
    folder = user_path(root)
    if not folder.is_dir():
        raise InputError(f"data.root: {folder} is not a folder; give the folder {content}")
    return folder


class Counter:
    """Count images or files, and report every new count to `progress`."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress, self.total, self.count = progress, total, 0

    def add(self, number: int = 1) -> None:
        """Count some more."""
        self.count += number
        if self.progress is not None:
            self.progress(self.count, self.total)


@contextmanager
def in_threads(
    function: Callable[[T], R], items: Iterable[T], add: Callable[[], None]
) -> Iterator[Iterator[R]]:
    """Apply a function to items in threads, and give its results in their order; `add` counts them.

    Threads work on a few items ahead, so that results that wait take little memory. Leaving the
    context cancels the calls that have not begun, so that an error shows at once.
    """
    threads = os.cpu_count() or 1
    pool = ThreadPoolExecutor(threads)

    def counted(future: Future[R]) -> R:
        result = future.result()
        add()
        return result

    def results() -> Iterator[R]:
        waiting = deque[Future[R]]()
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > _AHEAD * threads:
                yield counted(waiting.popleft())
        while waiting:
            yield counted(waiting.popleft())

    try:
        yield results()
    finally:
        pool.shutdown(cancel_futures=True)


def random_patches(
    image: Num[Tensor, "c h w"],
    size: int,
    count: int,
    generator: torch.Generator,
    option: str,
    name: str,
) -> Num[Tensor, "n c s s"]:
    """Cut squares of `size` pixels at uniformly random places out of an image.

    Raises:
        InputError: for squares larger than the image; names the option of the size, and the image.
    """
    height, width = image.shape[1:]
    largest = min(height, width)
    if not 1 <= size <= largest:
        raise InputError(f"{option}: expected 1..{largest} pixels to fit into {name}, got {size}")
    top = torch.randint(height - size + 1, (count,), generator=generator).tolist()
    left = torch.randint(width - size + 1, (count,), generator=generator).tolist()
    return torch.stack(
        [image[:, y : y + size, x : x + size] for y, x in zip(top, left, strict=True)]
    )
