"""Batches made one step ahead, in a thread, while an accelerator trains."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import torch

T = TypeVar("T")


class Ahead(Generic[T]):
    """Calls `make(step)` without gradients, and one step early where that helps.

    What comes out is the same. On a CPU training has all cores already, and a thread would only
    take turns with it; there batches are made when they are asked for.

    Arguments:
        make: the batch of a step, a function of the step alone; an error it raises comes out of
            the call that asks for that step.
        steps: none is made at or beyond.
        device: where training runs.
    """

    def __init__(self, make: Callable[[int], T], steps: int, device: torch.device) -> None:
        self._make, self._steps = torch.no_grad()(make), steps
        self._early = device.type != "cpu"
        self._thread: ThreadPoolExecutor | None = None
        self._next: tuple[int, Future[T]] | None = None

    def __call__(self, step: int) -> T:
        """Return the batch of a step, and begin the one after it."""
        if not self._early:
            return self._make(step)
        ready, self._next = self._next, None
        if ready is None or ready[0] != step:
            ready = step, self._submit(step)
        batch = ready[1].result()
        if step + 1 < self._steps:
            self._next = step + 1, self._submit(step + 1)
        return batch

    def _submit(self, step: int) -> Future[T]:
        if self._thread is None:  # made late: a learner can be copied before it starts
            self._thread = ThreadPoolExecutor(1, "ahead")
        return self._thread.submit(self._make, step)
