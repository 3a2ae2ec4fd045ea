r"""Does accuracy turn as views share more? A peak of accuracy over I_NCE, or none, said plainly.

The figure of the paper is an upside-down U: accuracy rises with I_NCE as long as views lack what
the task needs, and falls once they share more than that. Near its peak any smooth curve is a
parabola, and a parabola is the least that has a peak: three numbers, in closed form, without a
start to choose. With five to ten settings anything freer finds peaks in noise. It is kept concave:
where the best parabola would open upwards, the best concave one is a straight line.

Runs of one setting differ in their seed and share what sets the setting apart from the curve, so
that they are no independent evidence for its shape. The curve is fitted to the means of settings,
tests count settings, and the bootstrap draws settings first and then runs of each: with runs drawn
from all alike, intervals come out too narrow.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Any

import numpy as np
import torch
from scipy.stats import t as student

from infomin.core import rng
from infomin.experiments.summit import Summit, dips, summit

FEWEST = 4
"""Settings: a parabola goes through any three."""
_LEVEL = 0.05


@dataclass(frozen=True)
class Point:
    """One run.

    Attributes:
        setting: what its seeds have in common, such as a distance or a sigma.
        i_nce: held out, nats.
        accuracy: share within [0, 1].
    """

    setting: str
    i_nce: float
    accuracy: float


@dataclass(frozen=True)
class Turning:
    """Whether accuracy turns within the measured range of I_NCE, and where.

    Attributes:
        verdict: `peak`, `summit` (a peak that is no parabola's), `rises`, `falls`, `unsure` (one
            that the data do not pin down), `valley` (falls, then rises), `flat` or `too few`.
        peak: I_NCE at the peak of the concave fit; infinite for a line that rises, minus infinite
            for one that falls; NaN with too few settings.
        low, high: 95 % bootstrap interval of the peak; infinite where resamples are lines.
        range: lowest and highest I_NCE, means of settings.
        slope: of the best line, accuracy a nat.
        p_line: two-sided, of a slope of 0 in the best line.
        p_curve: one-sided, of a curvature of 0 against one that opens downwards.
        settings, runs: how many.
        scored: what was measured, in words.
        summit: the highest setting, where the verdict is `summit`.
    """

    verdict: str
    peak: float
    low: float
    high: float
    range: tuple[float, float]
    slope: float
    p_line: float
    p_curve: float
    settings: int
    runs: int
    scored: str
    summit: Summit | None = None

    def __str__(self) -> str:
        span = f"I_NCE {self.range[0]:.2f} to {self.range[1]:.2f} nats"
        counts = f"{self.settings} settings, {self.runs} runs"
        if self.verdict == "too few":
            return f"turning point: cannot be told from {counts}; {FEWEST} settings at least"
        curve = f"curvature p = {self.p_curve:.2g}"
        where = f"{self.peak:.2f} nats [{self.low:.2f}, {self.high:.2f}]"
        told = {
            "summit": f"{self.scored} {self.summit}; a parabola fits no better than a line, "
            f"{curve}",
            "peak": f"{self.scored} peaks at I_NCE = {where}, {curve}",
            "unsure": f"none certain: the fit peaks at I_NCE = {where}, but {self._doubt()}",
            "valley": f"none in the data: {self.scored} falls and rises again, {curve}",
            "flat": f"none in the data: {self.scored} neither rises nor falls, slope p = "
            f"{self.p_line:.2g}, {curve}",
        }
        if self.verdict in told:
            return f"turning point: {told[self.verdict]}; {span}, {counts}"
        return (
            f"turning point: none in the data: {self.scored} {self.verdict} throughout, by "
            f"{100 * abs(self.slope):.1f} points a nat, p = {self.p_line:.2g}, {curve}; {span}, "
            f"{counts}"
        )

    def _doubt(self) -> str:
        if self.p_curve >= _LEVEL:
            return f"a line does as well (curvature p = {self.p_curve:.2g})"
        return "its interval leaves the measured range"


def turning_point(
    points: Sequence[Point], seed: int = 0, resamples: int = 2000, scored: str = "accuracy"
) -> Turning:
    """Find the peak of accuracy over I_NCE, and decide whether there is one in the data.

    There is one if the concave parabola beats the straight line (its curvature is below 0 by a
    one-sided t-test, the F-test of one more number, at 5 %), if its peak lies within the measured
    range, and if the interval of the peak does too. A resample of which the fit is a line has its
    peak infinitely far to the side where the line rises, so that doubtful curvature makes an
    interval infinite. A curve that turns and is no parabola is known by its highest setting
    (`summit`).

    Arguments:
        points: one a run.
        seed: of the resamples.
        resamples: number of them.
        scored: what stands for accuracy, in words.
    """
    groups = _by_setting(points)
    x, y = _means(groups)
    span = (float(x.min()), float(x.max())) if len(x) else (inf, -inf)
    counts = (len(x), len(points), scored)
    nothing = float("nan")
    if len(x) < FEWEST or np.ptp(x) == 0:
        empty = (nothing, nothing, nothing)
        return Turning("too few", *empty, span, nothing, nothing, nothing, *counts)
    slope, p_line = _last_coefficient(x, y, 1)
    curvature, p_two_sided = _last_coefficient(x, y, 2)
    p_curve = p_two_sided / 2 if curvature < 0 else 1 - p_two_sided / 2
    peak, lowest = concave_peak(x, y), concave_peak(x, -y)
    low, high = _interval(groups, seed, resamples)
    accuracies = [[point.accuracy for point in group] for group in groups]
    highest = summit([group[0].setting for group in groups], x.tolist(), accuracies)
    inside, sure = (all(span[0] < v < span[1] for v in ends) for ends in ([peak], [low, high]))
    if p_curve < _LEVEL and inside:
        verdict = "peak" if sure else "summit" if highest else "unsure"
    elif highest:
        verdict = "summit"
    elif p_curve > 1 - _LEVEL and span[0] < lowest < span[1] and dips(x.tolist(), accuracies):
        verdict = "valley"
    elif min(p_line, p_curve) < _LEVEL:
        verdict = "rises" if slope > 0 else "falls"
    else:
        verdict = "unsure" if inside and sure else "flat"
    found = highest if verdict == "summit" else None
    return Turning(verdict, peak, low, high, span, slope, p_line, p_curve, *counts, found)


def fitted(points: Sequence[Point], at: np.ndarray) -> np.ndarray:
    """Return the accuracy of the best concave parabola, or line, at values of I_NCE."""
    x, y = _means(_by_setting(points))
    parabola = len(x) >= FEWEST and np.isfinite(concave_peak(x, y))
    return np.polyval(np.polyfit(x, y, 2 if parabola else 1), at)


def concave_peak(x: np.ndarray, y: np.ndarray) -> float:
    """Return where the best concave parabola peaks; an infinity for a line.

    Arguments:
        x, y: of the points; three places of x at least, else a line is all they can tell.
    """
    centre = x.mean()
    if len(np.unique(x)) >= 3:
        curvature, slope, _ = np.polyfit(x - centre, y, 2)
        if curvature < 0:
            return float(centre - slope / (2 * curvature))
    if len(np.unique(x)) < 2:
        return inf
    slope, _ = np.polyfit(x - centre, y, 1)
    return inf if slope > 0 else -inf


def _by_setting(points: Sequence[Point]) -> list[list[Point]]:
    groups: dict[str, list[Point]] = {}
    for point in points:
        groups.setdefault(point.setting, []).append(point)
    return list(groups.values())


def _means(groups: Sequence[Sequence[Point]]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean I_NCE and mean accuracy of every setting."""
    x = [statistics.fmean(point.i_nce for point in group) for group in groups]
    y = [statistics.fmean(point.accuracy for point in group) for group in groups]
    return np.array(x), np.array(y)


def _last_coefficient(x: np.ndarray, y: np.ndarray, degree: int) -> tuple[float, float]:
    """Return the highest coefficient of a polynomial fit and its two-sided p of being 0."""
    basis = np.vander(x - x.mean(), degree + 1)
    solution, _, rank, _ = np.linalg.lstsq(basis, y, rcond=None)
    freedom = len(x) - degree - 1
    if rank <= degree or freedom < 1:
        return 0.0, 1.0
    variance = float(np.square(y - basis @ solution).sum()) / freedom
    error = sqrt(variance * np.linalg.inv(basis.T @ basis)[0, 0])
    ratio = abs(solution[0]) / error if error else inf
    return float(solution[0]), float(2 * student.sf(ratio, freedom))


def _interval(groups: Sequence[Sequence[Point]], seed: int, resamples: int) -> tuple[float, float]:
    """Return the 2.5th and 97.5th percentile of the peak over resampled settings and runs."""
    generator = rng.generator(seed, "turning")

    def draw(items: Sequence[Any]) -> list[Any]:
        return [items[i] for i in torch.randint(len(items), (len(items),), generator=generator)]

    peaks = []
    for _ in range(resamples):
        again = [run for group in draw(groups) for run in draw(group)]
        peaks.append(concave_peak(*_means(_by_setting(again))))
    low, high = (sorted(peaks)[round(share * (resamples - 1))] for share in (0.025, 0.975))
    return low, high
