"""Child processes that are stopped together."""

import subprocess
import threading
from collections.abc import Mapping, Sequence
from signal import SIGTERM
from typing import IO


class Processes:
    """The running child processes; one thread waits for each."""

    def __init__(self) -> None:
        self._lock, self._stopped = threading.Lock(), False
        self._running: set[subprocess.Popen[bytes]] = set()

    def call(self, command: Sequence[str], environment: Mapping[str, str], stream: IO[str]) -> int:
        """Run a command to its end and return its exit code; do nothing after `stop`.

        Arguments:
            command: program and arguments.
            environment: of the process.
            stream: takes its output.
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
        """Ask all processes to save and to end."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.terminate()
