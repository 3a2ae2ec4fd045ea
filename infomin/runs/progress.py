"""Progress of a training loop: a line on stderr, redrawn in place, or plain lines in a log file."""

import sys
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from threading import Event, Thread
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from infomin.training.trainer import Metrics, TrainingLoop

_WIDTH = 80  # columns of a line


class Progress:
    """A line with the metrics, the speed and the time left of a training loop.

    A thread redraws it, also during a step of minutes.

    Arguments:
        loop: its steps are counted.
        label: the name of the work.
        show: False shows nothing.
    """

    delay = 1.5  # seconds from the first step to the first line

    def __init__(self, loop: TrainingLoop, label: str, show: bool = True) -> None:
        self.loop, self.label = loop, label
        self.metrics: Metrics = {}
        self.first_step, self.began = loop.step, time.perf_counter()
        self.paused = self.waited = self.elapsed = 0.0
        self.screen = _screen() if show else None
        self.thread: Thread | None = None
        self.stopped = Event()

    @property
    def images_per_second(self) -> float:
        """Mean rate of all processes since the start."""
        done = self.loop.step - self.first_step
        return done * self.loop.images_per_step / max(self.elapsed, 1e-9)

    @property
    def waiting(self) -> float:
        """Share of the time spent on waiting for batches."""
        return self.waited / max(self.elapsed, 1e-9)

    def pause(self, seconds: float) -> None:
        """Leave out time that the caller spent between two steps."""
        self.paused += seconds

    def update(self, metrics: Metrics) -> None:
        """Take the metrics of a step; the first call starts the display."""
        self.waited += metrics["data_seconds"]
        self.elapsed = time.perf_counter() - self.began - self.paused
        self.metrics = metrics
        if self.screen and not self.thread:
            self.thread = Thread(target=self._redraw, args=[self.screen], daemon=True)
            self.thread.start()

    def show_line(self, text: str) -> None:
        """Show a text that stays, above the line."""
        if self.screen:
            self.screen.show_line(text)

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if self.thread and self.screen:
            self.stopped.set()
            self.thread.join()
            if kind is None:
                self.screen.draw(self.line())
            self.screen.close()

    def line(self) -> str:
        """Return the latest metrics; short of room, without the least important ones."""
        step, steps, metrics = self.loop.step, self.loop.steps, self.metrics
        others = [n for n in metrics if n not in ("loss", "i_nce", "accuracy", "data_seconds")]
        terms = [name for name in others if name.startswith("loss_")]
        parts = {"steps": f"{step}/{steps}", "loss": f"loss {_number(metrics['loss'])}"}
        parts |= {name: f"{name[5:]} {_number(metrics[name])}" for name in terms}
        if "i_nce" in metrics:
            parts["i_nce"] = f"I_NCE {metrics['i_nce']:.2f}/{self.loop.cap:.2f}"
        if "accuracy" in metrics:
            parts["accuracy"] = f"acc {metrics['accuracy']:.2f}"
        others = [name for name in others if name not in terms]
        parts |= {name: f"{name} {_number(metrics[name])}" for name in others}
        parts["images per second"] = f"{self.images_per_second:,.0f} img/s"
        parts["time waiting"] = f"wait {self.waiting:.0%}"
        parts["time left"] = _time(step - self.first_step, steps - step, self.elapsed)
        speed = ("images per second", "time waiting")
        optional = ["i_nce", *terms, *speed, "accuracy", "label", *others]
        return _fit(self.label, parts, optional)

    def _redraw(self, screen: "_Log") -> None:
        wait = self.delay
        while not self.stopped.wait(wait):
            screen.draw(self.line())
            wait = screen.every


def _fit(label: str, parts: Mapping[str, str], optional: Sequence[str]) -> str:
    """Join a label and texts to a line of at most 80 columns.

    Arguments:
        label: stands in front.
        parts: texts by name, in the order of the line.
        optional: names to leave out where they do not fit, the most important one first; one of
            them can be "label".
    """
    left_out = {*optional}

    def join(separator: str) -> str:
        texts = [text for name, text in parts.items() if name not in left_out]
        return ("" if "label" in left_out else f"{label} ") + separator.join(texts)

    for name in optional:
        left_out.discard(name)
        if len(join("  ")) > _WIDTH:
            left_out.add(name)
    return join(" | ") if len(join(" | ")) <= _WIDTH else join("  ")


def _number(value: float) -> str:
    return f"{value:.{3 if abs(value) >= 0.1 else 5}f}"


def _time(done: int, left: int, elapsed: float) -> str:
    """Return the time left at the mean speed, or the whole time at the end."""
    seconds = round(elapsed * left / max(done, 1) if left else elapsed)
    minutes, hours = seconds // 60, seconds // 3600
    clock = f"{hours}:{minutes % 60:02d}" if hours else f"{minutes}"
    return f"{clock}:{seconds % 60:02d} left" if left else f"in {clock}:{seconds % 60:02d}"


class _Log:
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


class _Terminal(_Log):
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


class _Notebook(_Log):
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


def _screen() -> _Log:
    console = Console(stderr=True, highlight=False)
    if console.is_jupyter:
        return _Notebook()
    return _Terminal(console) if console.is_terminal else _Log()
