r"""A highest setting with the others falling away from it on both sides: a peak without a parabola.

A curve can turn and be no parabola: gently up, steeply down. What it is then known by is the order
of its settings, from the one that shares least to the one that shares most: accuracy rises up to
one of them and falls after it. Of n settings in random order, 2^(n-1) - 2 of the n! orders look so
with their highest inside: 4 % for six settings, 1 % for seven, so that fewer than six tell nothing.
And the highest has to be above both ends by more than its seeds vary.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import ttest_ind

LEVEL = 0.05


@dataclass(frozen=True)
class Summit:
    """The highest setting.

    Attributes:
        setting: which one.
        i_nce: of it, nats.
        low, high: those of the settings on both sides, between which the peak lies.
        p_order: of this order of settings, if any were as likely.
        p_ends: one-sided, of the smaller of its leads over both ends (Welch's t over seeds).
    """

    setting: str
    i_nce: float
    low: float
    high: float
    p_order: float
    p_ends: float

    def __str__(self) -> str:
        return (
            f"is highest at I_NCE = {self.i_nce:.2f} nats ({self.setting}) and falls "
            f"towards both sides (order p = {self.p_order:.2g}, above both ends p = "
            f"{self.p_ends:.2g}): it peaks between {self.low:.2f} and {self.high:.2f}"
        )


def summit(
    settings: Sequence[str], i_nce: Sequence[float], accuracies: Sequence[Sequence[float]]
) -> Summit | None:
    """Return the highest setting if there is evidence for a peak there, else None.

    Arguments:
        settings: names.
        i_nce: of each, mean over its runs.
        accuracies: of each, run by run.
    """
    order = np.argsort(i_nce)
    means = np.array([np.mean(accuracies[i]) for i in order])
    n, top = len(means), int(means.argmax())
    if not 0 < top < n - 1:
        return None
    rises, falls = np.diff(means[: top + 1]) > 0, np.diff(means[top:]) < 0
    p_order = (2 ** (n - 1) - 2) / math.factorial(n)
    if not (rises.all() and falls.all()) or p_order > LEVEL:
        return None
    runs = [accuracies[i] for i in (order[top], order[0], order[-1])]
    if min(map(len, runs)) < 2:
        return None
    p_ends = max(_p_above(runs[0], end) for end in runs[1:])
    if not p_ends < LEVEL:
        return None
    low, here, high = (float(i_nce[order[top + step]]) for step in (-1, 0, 1))
    return Summit(settings[order[top]], here, low, high, p_order, p_ends)


def dips(i_nce: Sequence[float], accuracies: Sequence[Sequence[float]]) -> bool:
    """Return whether the lowest setting lies inside, with both ends above it.

    By more than its seeds vary, where there are several; else by their means.
    """
    order = np.argsort(i_nce)
    runs = [accuracies[i] for i in order]
    lowest = int(np.argmin([np.mean(some) for some in runs]))
    if not 0 < lowest < len(runs) - 1:
        return False
    ends = (runs[0], runs[-1])
    if min(map(len, (*ends, runs[lowest]))) < 2:
        return True
    return max(_p_above(end, runs[lowest]) for end in ends) < LEVEL


def _p_above(high: Sequence[float], low: Sequence[float]) -> float:
    """Return the p of two settings having the same mean, against the first being higher."""
    with warnings.catch_warnings():  # of runs that are all alike
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(ttest_ind(high, low, equal_var=False, alternative="greater").pvalue)
