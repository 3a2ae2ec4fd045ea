"""One line that shows how long work goes: rich on a terminal, plain lines in a log file."""

import sys
import time
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.live import Live

from infomin.training.trainer import Metrics, TrainingLoop

_PLAIN_EVERY = 10.0  # seconds between plain lines


class Progress:
    """Shows loss, its parts, I_NCE against its cap and accuracy where there are, images/s, waiting.

    Arguments:
        learner: whose steps are counted.
        label: what is going on.
        stream: where to; None shows nothing.
    """

    def __init__(
        self, learner: TrainingLoop, label: str, stream: TextIO | None = sys.stderr
    ) -> None:
        self.learner, self.label = learner, label
        self.console = Console(file=stream, highlight=False) if stream else None
        self.first_step, self.began = learner.step, time.perf_counter()
        self.waited, self.shown = 0.0, 0.0
        self.live: Live | None = None

    def __enter__(self) -> "Progress":
        if self.console and self.console.is_terminal:
            self.live = Live(console=self.console, refresh_per_second=4)
            self.live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.live:
            self.live.__exit__(kind, error, trace)

    @property
    def images_per_second(self) -> float:
        """Mean rate since the start, of all processes."""
        done = self.learner.step - self.first_step
        return done * self.learner.images_per_step / max(time.perf_counter() - self.began, 1e-9)

    @property
    def waiting(self) -> float:
        """Share of the time spent on making batches."""
        return self.waited / max(time.perf_counter() - self.began, 1e-9)

    def pause(self, seconds: float) -> None:
        """Leave out what others did between two steps."""
        self.began += seconds

    def say(self, line: str) -> None:
        """Show a line that stays, above the progress on a terminal."""
        if self.console:
            self.console.print(line, soft_wrap=True, markup=False)

    def update(self, metrics: Metrics) -> None:
        """Take in the metrics of a step, and show them when it is time."""
        self.waited += metrics["data_seconds"]
        now = time.perf_counter()
        last = self.learner.step == self.learner.steps
        if self.live:
            self.live.update(self.line(metrics), refresh=last)
        elif self.console and (now - self.shown > _PLAIN_EVERY or last):
            self.console.print(self.line(metrics), soft_wrap=True)
            self.shown = now

    def line(self, metrics: Metrics) -> str:
        """Return the line for these metrics."""
        done, steps = self.learner.step, self.learner.steps
        per_step = (time.perf_counter() - self.began) / max(done - self.first_step, 1)
        left = round((steps - done) * per_step)
        loss = metrics["loss"]
        parts = [f"{self.label} {done}/{steps}", f"loss {loss:.{3 if loss >= 0.1 else 5}f}"]
        if "loss_jigsaw" in metrics:
            views, puzzles = metrics["loss_views"], metrics["loss_jigsaw"]
            parts[-1] += f" (views {views:.3f}, JigSaw {puzzles:.3f})"
        if "i_nce" in metrics:
            parts.append(f"I_NCE {metrics['i_nce']:.2f} of {self.learner.cap:.2f} nats")
        if "accuracy" in metrics:
            parts.append(f"accuracy {metrics['accuracy']:.2f}")
        parts += [
            f"{self.images_per_second:,.0f} images/s",
            f"waiting {self.waiting:.0%}",
            f"{left // 60}:{left % 60:02d} left",
        ]
        return " | ".join(parts)
