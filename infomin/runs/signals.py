"""Ctrl-C, SIGTERM, SIGUSR1 and SIGUSR2 stop work where its state can be saved.

Slurm sends one of them before a job ends, as its option `--signal` says.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import cast

import torch
from lightning_fabric import Fabric
from torch import Tensor

STOP = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)  # Windows has no SIGUSR1
]


class Interrupted(Exception):
    """A signal stopped the work, and its state is saved.

    Of several processes only the first one has a message.
    """

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + number


@contextmanager
def collected() -> Iterator[list[int]]:
    """Yield the list of signals received so far."""
    received: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:
        received.append(number)

    before = {number: signal.signal(number, receive) for number in STOP}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def any_process(fabric: Fabric, received: list[int]) -> int:
    """Return the first signal of this or another process, or 0: all stop at the same step."""
    number = received[0] if received else 0
    if fabric.world_size == 1:
        return number
    largest = fabric.all_reduce(torch.tensor(number, device=fabric.device), reduce_op="max")
    return int(cast(Tensor, largest))
