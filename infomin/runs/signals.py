"""Ctrl-C and SIGTERM, collected instead of died of, so that work stops where it can be saved."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(Exception):
    """Ctrl-C or SIGTERM came; what was done is saved. One process of several has a message."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.exit_code = 128 + number


@contextmanager
def raised(message: str) -> Iterator[None]:
    """Raise `Interrupted` where SIGTERM comes, as KeyboardInterrupt is where Ctrl-C does."""

    def receive(number: int, frame: FrameType | None) -> None:
        raise Interrupted(number, message)

    before = signal.signal(signal.SIGTERM, receive)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def collected() -> Iterator[list[int]]:
    """Yield the list of signals that came so far."""
    received: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:
        received.append(number)

    before = {s: signal.signal(s, receive) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
