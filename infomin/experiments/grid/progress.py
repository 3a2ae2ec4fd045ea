"""The progress of a grid: lines that stay, and one line for each running cell."""

import time
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

_TERMINAL_EVERY, _LOG_EVERY = 2.0, 4.5  # seconds


class GridProgress:
    """Shows running cells in place on a terminal, as plain lines in a log file.

    `every` is the number of seconds between two updates; by default it depends on the stream.
    """

    def __init__(self, stream: TextIO, every: float | None = None) -> None:
        self.console = Console(file=stream, highlight=False, emoji=False)
        terminal = self.console.is_terminal
        self.live = Live(console=self.console, auto_refresh=False) if terminal else None
        self.every = every or (_TERMINAL_EVERY if terminal else _LOG_EVERY)
        self.shown = time.monotonic()

    def __enter__(self) -> None:
        if self.live:
            self.live.start()

    def __exit__(self, *error: object) -> None:
        if self.live:
            self.live.update("")
            self.live.stop()

    def show_line(self, line: str) -> None:
        """Show a line that stays."""
        self.console.print(line, soft_wrap=True, markup=False)

    def show(self, cells: Iterable[object]) -> None:
        """Show one line per running cell, as text, if an update is due."""
        if time.monotonic() < self.shown + self.every:
            return
        self.shown, lines = time.monotonic(), [*map(str, cells)]
        if self.live:
            text = Text("\n".join(lines), no_wrap=True, overflow="ellipsis")
            self.live.update(text, refresh=True)
        else:
            for line in lines:
                self.show_line(line)
