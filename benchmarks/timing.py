"""Interleaved measurements: whatever slows the machine down meets every contender alike.

A contender is a function without arguments that measures once and returns one number, a rate or a
time. All contenders take turns in one process, in changing order; what is compared are medians.
"""

import time
from collections.abc import Callable, Mapping

Measure = Callable[[], float]


def interleaved(contenders: Mapping[str, Measure], rounds: int) -> dict[str, list[float]]:
    """Measure all contenders in turn.

    Arguments:
        contenders: by name.
        rounds: how often; one more before, which is not counted, warms caches and threads up.

    Returns:
        All numbers by name, one a round.
    """
    measured: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name in sorted(contenders, reverse=turn % 2 == 1):
            value = contenders[name]()
            if turn > 0:
                measured[name].append(value)
    return measured


def rate(work: Callable[[], object], units: float = 1.0, least: float = 0.2) -> Measure:
    """Make a contender out of a piece of work: how many units of it are done in a second.

    Arguments:
        work: what is done.
        units: how many units doing it once is.
        least: seconds that a measurement lasts at least; work is repeated until then.
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
    """Make a contender out of a step: units in a second, after `skip` steps that do not count."""

    def measure() -> float:
        for _ in range(skip):
            work()
        began = time.perf_counter()
        for _ in range(steps):
            work()
        return steps * units / (time.perf_counter() - began)

    return measure
