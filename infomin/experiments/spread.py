"""How sure a number is: mean and standard deviation over seeds, and leads seed by seed."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scipy.special import stdtrit

CONFIDENCE = 0.95


class Spread(NamedTuple):
    """Mean of values and their standard deviation, which a single one does not have."""

    mean: float
    std: float | None
    values: tuple[float, ...]

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self.values)


class Lead(NamedTuple):
    """How far one row is ahead of another: mean over seeds, and its 95 % interval.

    Attributes:
        ahead: seeds in which it is.
        low, high: None for a single seed.
    """

    mean: float
    low: float | None
    high: float | None
    ahead: int
    n: int

    @property
    def sure(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


def spread(values: Sequence[float]) -> Spread:
    """Return mean and standard deviation (of a sample, n - 1) of at least one value."""
    std = statistics.stdev(values) if len(values) > 1 else None
    return Spread(statistics.fmean(values), std, tuple(values))


def lead(
    first: Mapping[int, float], second: Mapping[int, float], comparisons: int = 1
) -> Lead | None:
    """Return how far one row is ahead of another, None where they have no seed in common.

    Runs of one seed start from the same weights and see the same crops, so that much of what
    differs between seeds is not in their difference. The interval is Student's, and Bonferroni's
    where several are looked at: all of them are right at once in 95 % of cases.

    Arguments:
        first, second: a value for each seed.
        comparisons: how many are looked at.
    """
    seeds = sorted(first.keys() & second.keys())
    if not seeds:
        return None
    gains = spread([first[seed] - second[seed] for seed in seeds])
    ahead = sum(gain > 0 for gain in gains.values)
    if gains.std is None:
        return Lead(gains.mean, None, None, ahead, 1)
    quantile = float(stdtrit(gains.n - 1, 1 - (1 - CONFIDENCE) / (2 * comparisons)))
    reach = quantile * gains.std / math.sqrt(gains.n)
    return Lead(gains.mean, gains.mean - reach, gains.mean + reach, ahead, gains.n)
