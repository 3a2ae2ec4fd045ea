"""Find the sweet spot: the I_NCE at which accuracy peaks, with a test of whether there is a peak.

The paper's curve is an upside-down U. Near its peak any smooth curve is a parabola, and a parabola
is the simplest curve with a peak. The fit is kept concave: if the best parabola opens upwards, the
best concave curve is a line.

Runs of one setting share everything but the seed. They are no independent evidence for the shape
of the curve. So curves are fitted to the means of settings, tests count settings, and the bootstrap
samples settings first and then runs of each setting.

A curve can also peak without being a parabola. The order test then looks at the settings from the
lowest to the highest I_NCE: accuracy rises up to one setting and falls after it. Of n settings in
random order, 2^(n-1) - 2 of n! orders have such a peak inside: 4 % for n = 6, too many below. In
addition, the highest setting must lead both ends by more than the variation over seeds.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import t as student
from scipy.stats import ttest_ind

from infomin.core import rng

FEWEST = 4
"""Settings that are needed: a parabola fits any three."""
LEVEL = 0.05
Runs = Sequence[tuple[float, float]]
"""(I_NCE in nats, accuracy in [0, 1]) of every run of a setting."""


class OrderPeak(NamedTuple):
    """The highest setting, if the order of settings is evidence for a peak."""

    setting: str
    i_nce: float  # nats
    low: float  # I_NCE of the two neighbors, between which the peak lies
    high: float
    p_order: float  # probability of such an order by chance
    p_ends: float  # one-sided p of its lead over the closer end (Welch's t-test over seeds)

    def __str__(self) -> str:
        return (
            f"is highest at I_NCE = {self.i_nce:.2f} nats ({self.setting}) and falls "
            f"towards both sides (order p = {self.p_order:.2g}, above both ends p = "
            f"{self.p_ends:.2g}): it peaks between {self.low:.2f} and {self.high:.2f}"
        )


@dataclass(frozen=True)
class SweetSpot:
    """The verdict about a peak of accuracy within the measured range of I_NCE.

    Verdicts: `peak`, `order peak` (without a parabola), `rises`, `falls`, `unsure` (a peak that the
    data do not pin down), `valley` (falls, then rises), `flat`, `too few` (settings).
    """

    verdict: str
    settings: int
    runs: int
    range: tuple[float, float] = (math.nan, math.nan)  # of the mean I_NCE of settings
    peak: float = math.nan  # of the concave fit; infinite for a line that rises, -inf if it falls
    interval: tuple[float, float] = (math.nan, math.nan)  # 95 %, bootstrap
    slope: float = math.nan  # of the best line, accuracy per nat
    p_line: float = math.nan  # two-sided, of slope 0
    p_curve: float = math.nan  # one-sided, of curvature 0 against a parabola that opens downwards
    order_peak: OrderPeak | None = None  # for the verdict `order peak`
    curve: tuple[float, ...] = ()  # coefficients of the concave fit, the highest power first
    score: str = "accuracy"

    def __str__(self) -> str:
        counts = f"{self.settings} settings, {self.runs} runs"
        if self.verdict == "too few":
            return f"turning point: cannot be told from {counts}; {FEWEST} settings at least"
        curve, score = f"curvature p = {self.p_curve:.2g}", self.score
        where = f"{self.peak:.2f} nats [{self.interval[0]:.2f}, {self.interval[1]:.2f}]"
        inside = "its interval leaves the measured range"
        doubt = inside if self.p_curve < LEVEL else f"a line does as well ({curve})"
        monotone = (
            f"none in the data: {score} {self.verdict} throughout, by {100 * abs(self.slope):.1f} "
            f"points a nat, p = {self.p_line:.2g}, {curve}"
        )
        sentence = {
            "order peak": f"{score} {self.order_peak}; a parabola fits no better than a line, "
            f"{curve}",
            "peak": f"{score} peaks at I_NCE = {where}, {curve}",
            "unsure": f"none certain: the fit peaks at I_NCE = {where}, but {doubt}",
            "valley": f"none in the data: {score} falls and rises again, {curve}",
            "flat": f"none in the data: {score} neither rises nor falls, slope p = "
            f"{self.p_line:.2g}, {curve}",
        }.get(self.verdict, monotone)
        span = f"I_NCE {self.range[0]:.2f} to {self.range[1]:.2f} nats"
        return f"turning point: {sentence}; {span}, {counts}"


def find_sweet_spot(
    settings: Mapping[str, Runs], seed: int = 0, resamples: int = 2000, score: str = "accuracy"
) -> SweetSpot:
    """Find the peak of accuracy over I_NCE, and decide whether the data show one.

    They do if the parabola beats the line (one-sided t-test of its curvature), and if its peak and
    the interval of the peak lie within the measured range. Otherwise the order of settings decides.

    Arguments:
        settings: runs by setting.
        seed, resamples: of the bootstrap.
        score: word for accuracy.
    """
    groups = [np.array(runs) for runs in settings.values()]
    total = sum(map(len, groups))
    means = np.array([group.mean(0) for group in groups]).reshape(-1, 2)
    x, y = means.T
    if len(x) < FEWEST or np.ptp(x) == 0:
        return SweetSpot("too few", len(x), total, score=score)
    first, last = float(x.min()), float(x.max())
    slope, p_line = _highest_coefficient(x, y, 1)
    curvature, p_two_sided = _highest_coefficient(x, y, 2)
    p_curve = p_two_sided / 2 if curvature < 0 else 1 - p_two_sided / 2
    peak, valley = concave_peak(x, y), concave_peak(x, -y)
    low, high = _bootstrap(groups, seed, resamples)
    order_peak = find_order_peak(settings)
    inside, pinned = first < peak < last, first < low < last and first < high < last
    if p_curve < LEVEL and inside and (pinned or not order_peak):
        verdict = "peak" if pinned else "unsure"
    elif order_peak:
        verdict = "order peak"
    elif p_curve > 1 - LEVEL and first < valley < last and _has_valley(groups):
        verdict = "valley"
    elif min(p_line, p_curve) < LEVEL:
        verdict = "rises" if slope > 0 else "falls"
    else:
        verdict = "unsure" if inside and pinned else "flat"
    return SweetSpot(
        verdict=verdict,
        settings=len(x),
        runs=total,
        range=(first, last),
        peak=peak,
        interval=(low, high),
        slope=slope,
        p_line=p_line,
        p_curve=p_curve,
        order_peak=order_peak if verdict == "order peak" else None,
        curve=tuple(np.polyfit(x, y, 2 if np.isfinite(peak) else 1)),
        score=score,
    )


def find_order_peak(settings: Mapping[str, Runs]) -> OrderPeak | None:
    """Return the highest setting if the order of settings is evidence for a peak, else None."""
    ordered = sorted(settings.items(), key=lambda item: float(np.mean([x for x, _ in item[1]])))
    groups = [np.array(runs) for _, runs in ordered]
    n, top = len(groups), _extreme(groups, 1)
    if top is None:
        return None
    steps = np.diff([group[:, 1].mean() for group in groups])
    p_order = (2 ** (n - 1) - 2) / math.factorial(n)
    p_ends = float(np.max([_p_higher(groups[top], groups[end]) for end in (0, -1)]))
    single_peak = (steps[:top] > 0).all() and (steps[top:] < 0).all()
    if not (single_peak and p_order <= LEVEL and p_ends < LEVEL):
        return None
    low, center, high = (float(groups[top + step][:, 0].mean()) for step in (-1, 0, 1))
    return OrderPeak(ordered[top][0], center, low, high, p_order, p_ends)


def concave_peak(x: np.ndarray, y: np.ndarray) -> float:
    """Return the place of the peak of the best concave parabola; an infinity for a line."""
    center, places = x.mean(), len(np.unique(x))
    if places >= 3:
        curvature, slope, _ = np.polyfit(x - center, y, 2)
        if curvature < 0:
            return float(center - slope / (2 * curvature))
    if places < 2:
        return math.inf
    slope, _ = np.polyfit(x - center, y, 1)
    return math.inf if slope > 0 else -math.inf


def _highest_coefficient(x: np.ndarray, y: np.ndarray, degree: int) -> tuple[float, float]:
    """Return the highest coefficient of a polynomial fit, and its two-sided p of being 0."""
    freedom = len(x) - degree - 1
    if len(np.unique(x)) <= degree or freedom < 1:
        return 0.0, 1.0
    coefficients, covariance = np.polyfit(x - x.mean(), y, degree, cov=True)
    error = math.sqrt(covariance[0, 0])
    ratio = abs(coefficients[0]) / error if error else math.inf
    return float(coefficients[0]), float(2 * student.sf(ratio, freedom))


def _bootstrap(groups: Sequence[np.ndarray], seed: int, resamples: int) -> tuple[float, float]:
    """Return the 95 % interval of the peak over resampled settings, and runs of each."""
    generator = rng.generator(seed, "turning")

    def sample(n: int) -> list[int]:
        return torch.randint(n, (n,), generator=generator).tolist()

    peaks = []
    for _ in range(resamples):
        runs: dict[int, list[np.ndarray]] = {}  # a setting that was drawn twice is one setting
        for i in sample(len(groups)):
            runs.setdefault(i, []).append(groups[i][sample(len(groups[i]))])
        means = np.array([np.concatenate(parts).mean(0) for parts in runs.values()])
        peaks.append(concave_peak(*means.T))
    low, high = (sorted(peaks)[round(share * (resamples - 1))] for share in (0.025, 0.975))
    return low, high


def _has_valley(groups: Sequence[np.ndarray]) -> bool:
    """Return whether both ends lie above the lowest setting, by more than seeds vary."""
    ordered = sorted(groups, key=lambda group: float(group[:, 0].mean()))
    lowest = _extreme(ordered, -1)
    if lowest is None:
        return False
    p_ends = [_p_higher(ordered[end], ordered[lowest]) for end in (0, -1)]
    return bool(not np.max(p_ends) >= LEVEL)  # NaN of single runs: their means decide


def _extreme(groups: Sequence[np.ndarray], sign: int) -> int | None:
    """Return the index of the highest (1) or lowest (-1) mean accuracy; None at an end."""
    best = int(np.argmax([sign * group[:, 1].mean() for group in groups]))
    return best if 0 < best < len(groups) - 1 else None


def _p_higher(high: np.ndarray, low: np.ndarray) -> float:
    """Return the one-sided p of equal mean accuracies (Welch's t-test); NaN for single runs."""
    with warnings.catch_warnings():  # of runs without variation
        warnings.simplefilter("ignore", RuntimeWarning)
        test = ttest_ind(high[:, 1], low[:, 1], equal_var=False, alternative="greater")
        return float(test.pvalue)
