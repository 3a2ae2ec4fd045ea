"""Interleaved measurements: a disturbance of the machine affects all contenders.

A contender is a function without arguments that measures once and returns a rate or a time. All
contenders take turns in one process, in alternating order; results are medians.
"""

import time
from collections.abc import Callable, Mapping

Measure = Callable[[], float]


def interleaved(contenders: Mapping[str, Measure], rounds: int) -> dict[str, list[float]]:
    """Measure all contenders in turn.

    Arguments:
        contenders: by name.
        rounds: number of measurements of each, after one more to warm up.

    Returns:
        All numbers by name, one per round.
    """
    measured: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name in sorted(contenders, reverse=turn % 2 == 1):
            value = contenders[name]()
            if turn > 0:
                measured[name].append(value)
    return measured


def rate(work: Callable[[], object], units: float = 1.0, least: float = 0.2) -> Measure:
    """Return a contender: units of work per second.

    Arguments:
        work: the call to measure.
        units: units of one call.
        least: minimum duration of a measurement in seconds; the call repeats until then.
    """

    def measure() -> float:
        times, began = 0, time.perf_counter()
        while True:
            work()
            times += 1
            seconds = time.perf_counter() - began
            if seconds >= least:
                return times * units / seconds

    return measure


def per_step(work: Callable[[], object], units: float, skip: int, steps: int) -> Measure:
    """Return a contender: units per second of a step, after `skip` steps to warm up."""

    def measure() -> float:
        for _ in range(skip):
            work()
        began = time.perf_counter()
        for _ in range(steps):
            work()
        return steps * units / (time.perf_counter() - began)

    return measure
