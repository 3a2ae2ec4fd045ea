"""Processes that are stopped together."""

import subprocess
import threading
from collections.abc import Mapping, Sequence
from signal import SIGTERM
from typing import IO


class Processes:
    """Those that run at the moment, each waited for by a thread of its own."""

    def __init__(self) -> None:
        self._lock, self._stopped = threading.Lock(), False
        self._running: set[subprocess.Popen[bytes]] = set()

    def call(self, command: Sequence[str], environment: Mapping[str, str], stream: IO[str]) -> int:
        """Run a command to its end and return its exit code; once stopped, run nothing.

        Arguments:
            command: program and arguments.
            environment: of the process.
            stream: takes what it prints.
        """
        with self._lock:
            if self._stopped:
                return -SIGTERM
            process = subprocess.Popen(
                command, env=environment, stdout=stream, stderr=subprocess.STDOUT
            )
            self._running.add(process)
        try:
            return process.wait()
        finally:
            with self._lock:
                self._running.discard(process)

    def stop(self) -> None:
        """Ask all of them to save what they have and to end."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.terminate()
