"""Progress of long work: the metrics of a training loop, a count of items, or the time."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from infomin.runs.display import Display
from infomin.training.trainer import Metrics, TrainingLoop

WIDTH = 80  # columns of a line


class Progress(Display):
    """A line with the metrics, the speed and the time left of a training loop.

    Arguments:
        loop: its steps are counted.
        label: the name of the work.
        show: False shows nothing.
    """

    def __init__(self, loop: TrainingLoop, label: str, show: bool = True) -> None:
        super().__init__(delay=1.5, last=True, show=show)
        self.loop, self.label = loop, label
        self.metrics: Metrics = {}
        self.first_step, self.began = loop.step, time.perf_counter()
        self.paused = self.waited = self.elapsed = 0.0

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
        if self.thread is None:
            self.start()

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
        return fit(self.label, parts, optional)


class _Work(Display):
    """A line with a count of items, or with the time since the start."""

    def __init__(self, label: str, total: int | None, show: bool) -> None:
        super().__init__(delay=2.0, last=False, show=show)
        self.label, self.total = label, total
        self.done, self.began = 0, time.perf_counter()

    def update(self, done: int) -> None:
        self.done = done

    def line(self) -> str:
        elapsed = time.perf_counter() - self.began
        if self.total is None:
            return fit(self.label[:40], {"time": _clock(elapsed)})
        parts = {"count": f"{self.done:,}/{self.total:,}"}
        if self.done:
            parts["time left"] = _time(self.done, self.total - self.done, elapsed)
        return fit(self.label[:40], parts)


@contextmanager
def show_work(
    label: str, total: int | None = None, show: bool = True
) -> Iterator[Callable[[int], None]]:
    """Show that work goes on; yield a function that takes the number of finished items.

    Shows a line such as `label 1,200/9,469 | 0:12 left`, or `label 0:07` without a total, and
    nothing in the first two seconds.
    """
    with _Work(label, total, show) as work:
        work.start()
        yield work.update


def fit(label: str, parts: Mapping[str, str], optional: Sequence[str] = ()) -> str:
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
        if len(join("  ")) > WIDTH:
            left_out.add(name)
    return join(" | ") if len(join(" | ")) <= WIDTH else join("  ")


def _number(value: float) -> str:
    return f"{value:.{3 if abs(value) >= 0.1 else 5}f}"


def _time(done: int, left: int, elapsed: float) -> str:
    """Return the time left at the mean speed, or the whole time at the end."""
    seconds = elapsed * left / max(done, 1) if left else elapsed
    return f"{_clock(seconds)} left" if left else f"in {_clock(seconds)}"


def _clock(seconds: float) -> str:
    minutes, hours = round(seconds) // 60, round(seconds) // 3600
    clock = f"{hours}:{minutes % 60:02d}" if hours else f"{minutes}"
    return f"{clock}:{round(seconds) % 60:02d}"
