"""Ctrl-C, SIGTERM, SIGUSR1 and SIGUSR2 stop work where its state can be saved."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from infomin.core.stop_signals import STOP


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
