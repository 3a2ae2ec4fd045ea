"""Signals that stop a training when it has saved its state."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

STOP = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)  # Windows has no SIGUSR1
]
"""Slurm sends one of them before a job ends, by its option `--signal`; Ctrl-C is SIGINT."""


@contextmanager
def blocked_signals() -> Iterator[None]:
    """Hold signals back until the block ends. Processes that start inside hold them to their end.

    Slurm and a terminal send signals to all processes. The training still wants the batches that
    its workers decode. They end with the process that started them.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
