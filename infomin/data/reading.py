"""Reading many files: in threads, in order, and with a count of those that are done."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Progress = Callable[[int, int], None] | None
"""A function of the number of images or files that are done and the number of all, or None."""
T = TypeVar("T")
R = TypeVar("R")


class Counter:
    """Count what is done, and report every new count.

    Arguments:
        progress: takes the count and the total; None reports nothing.
        total: number of all images or files.
    """

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
    """Apply a function to items in threads, and give its results in their order.

    Leaving the context cancels the calls that have not begun, so that an error shows at once.

    Arguments:
        function: what to do with an item.
        items: its arguments.
        add: counts a result.
    """

    def count(result: R) -> R:
        add()
        return result

    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        yield map(count, pool.map(function, items))
    finally:
        pool.shutdown(cancel_futures=True)
