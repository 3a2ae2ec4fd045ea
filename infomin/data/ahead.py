"""The batch of the next step, made in a thread while this one is trained on."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import torch

T = TypeVar("T")


class Ahead(Generic[T]):
    """Calls `make(step)` one step early; nothing that comes out depends on that.

    Arguments:
        make: the batch of a step, a function of the step alone; an error it raises comes out of
            the call that asks for that step.
        steps: none is made at or beyond.
    """

    def __init__(self, make: Callable[[int], T], steps: int) -> None:
        self._make, self._steps = make, steps
        self._thread: ThreadPoolExecutor | None = None
        self._next: tuple[int, Future[T]] | None = None

    def __call__(self, step: int) -> T:
        """Return the batch of a step, and begin the one after it."""
        ready, self._next = self._next, None
        if ready is None or ready[0] != step:
            ready = step, self._submit(step)
        batch = ready[1].result()
        if step + 1 < self._steps:
            self._next = step + 1, self._submit(step + 1)
        return batch

    def _submit(self, step: int) -> Future[T]:
        if self._thread is None:
            # one core for the data, whatever the training has; the number belongs to the thread
            self._thread = ThreadPoolExecutor(1, "ahead", torch.set_num_threads, (1,))
        return self._thread.submit(torch.no_grad()(self._make), step)
