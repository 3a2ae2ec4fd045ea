"""A line of progress on stderr: redrawn in place, or plain lines in a log file."""

import sys
from importlib import import_module
from threading import Event, Lock, Thread
from typing import Any, TypeVar

from rich.console import Console
from rich.live import Live
from rich.text import Text

_Self = TypeVar("_Self", bound="Display")
_one_at_a_time = Lock()  # a line inside the work of another line stays silent


class Log:
    """A log file: plain lines."""

    every = 4.5  # seconds between lines

    def draw(self, line: str) -> None:
        """Show the current line."""
        self.show_line(line)

    def show_line(self, text: str) -> None:
        """Show a text that stays."""
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Leave the last line as it is."""


class Terminal(Log):
    """A terminal: rich redraws the line below whatever is printed meanwhile."""

    every = 0.25

    def __init__(self, console: Console) -> None:
        self.live = Live(console=console, auto_refresh=False)

    def draw(self, line: str) -> None:
        """Draw the line in place of the last one."""
        self.live.start()
        self.live.update(Text(line, no_wrap=True, overflow="crop"), refresh=True)

    def show_line(self, text: str) -> None:
        """Print above the line."""
        self.live.console.print(text, soft_wrap=True, markup=False)

    def close(self) -> None:
        """Give the cursor back."""
        self.live.stop()


class Notebook(Log):
    """A notebook: IPython updates one output; rich would need ipywidgets for this."""

    every = 0.5

    def __init__(self) -> None:
        self.output: Any = None

    def draw(self, line: str) -> None:
        """Draw the line in place of the last one."""
        content = {"text/plain": line}
        if self.output is None:
            display = import_module("IPython.display").display
            self.output = display(content, raw=True, display_id=True)
        else:
            self.output.update(content, raw=True)


class Display:
    """A line that a thread redraws, also during a step of minutes.

    Arguments:
        delay: seconds from the start to the first drawing.
        last: whether to draw the last state of work that ends before the delay.
        show: False shows nothing.
    """

    def __init__(self, delay: float, last: bool, show: bool) -> None:
        self.delay, self.last = delay, last
        self.screen = _screen() if show else None
        self.thread: Thread | None = None
        self.stopped, self.shown = Event(), ""

    def line(self) -> str:
        """Return the current line."""
        raise NotImplementedError

    def start(self) -> None:
        """Start to draw; later calls do nothing."""
        if self.screen and not self.thread and _one_at_a_time.acquire(blocking=False):
            self.thread = Thread(target=self._redraw, args=[self.screen], daemon=True)
            self.thread.start()

    def show_line(self, text: str) -> None:
        """Show a text that stays, above the line."""
        if self.screen:
            self.screen.show_line(text)

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if self.thread and self.screen:
            self.stopped.set()
            self.thread.join()
            if kind is None and self.last and (line := self.line()) != self.shown:
                self.screen.draw(line)
            self.screen.close()
            _one_at_a_time.release()

    def _redraw(self, screen: Log) -> None:
        wait = self.delay
        while not self.stopped.wait(wait):
            self.shown = self.line()
            screen.draw(self.shown)
            wait, self.last = screen.every, True


def _screen() -> Log:
    console = Console(stderr=True, highlight=False)
    if console.is_jupyter:
        return Notebook()
    return Terminal(console) if console.is_terminal else Log()
