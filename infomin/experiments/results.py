"""Tables of run records: rows whose runs differ in the seed only, their means and differences.

The page of runs and grids of experiments both fill these tables.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from scipy.special import stdtrit

from infomin.core.page.text import cut, is_number
from infomin.experiments.run_index import FinishedRun

TOP1, KNN, IOU, PIXELS = "top-1 %", "kNN %", "mean IoU %", "pixel accuracy %"
I_NCE, MINUTES = "I_NCE, nats", "minutes"
CAP, CHANCE = "result: I_NCE cap", "result: chance"
_POSITION = "position error, px"
_NUMBERS = {
    TOP1: ("top1", 100),
    KNN: ("knn", 100),
    IOU: ("mean_iou", 100),
    PIXELS: ("pixel_accuracy", 100),
    "digit error %": ("digit_error", 100),
    "background error %": ("background_error", 100),
    _POSITION: ("position_error", 1),
}
"""Entry of a result and factor, by the name that table heads and axes use."""
_MOST = 24  # layers, classifiers or estimates of one run: a file can hold any number
_CONFIDENCE = 0.95


class MeanAndStd(NamedTuple):
    """Mean of some values and their sample standard deviation; None for a single value."""

    mean: float
    std: float | None
    values: tuple[float, ...]


class PairedDifference(NamedTuple):
    """Mean difference of two rows over `n` common seeds, with its 95 % interval."""

    mean: float
    low: float | None  # None for a single seed
    high: float | None
    wins: int  # seeds with a positive difference
    n: int

    @property
    def significant(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


@dataclass(frozen=True, eq=False)
class RunRecord:
    """The metrics of a run, or of a grid cell with all its runs."""

    seed: int | None
    run: FinishedRun  # the one that was scored
    metrics: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class ResultRow:
    """The newest record of every seed, of runs that differ in the seed only."""

    name: str  # of the views, or of the game
    detail: str  # settings that distinguish rows of the same name
    records: Sequence[RunRecord]
    older: Sequence[FinishedRun] = ()
    labels: Mapping[str, str] = field(default_factory=dict)  # first columns of a written table

    @property
    def title(self) -> str:
        """Name and detail."""
        return f"{self.name}, {self.detail}" if self.detail else self.name

    @property
    def seeds(self) -> list[int]:
        """All known seeds."""
        return [record.seed for record in self.records if record.seed is not None]

    def values(self, metric: str) -> list[float]:
        """Return a metric of every record that has it."""
        return [r.metrics[metric] for r in self.records if metric in r.metrics]

    def by_seed(self, metric: str) -> dict[int, float]:
        """Return a metric by seed, where both are known."""
        records = [r for r in self.records if metric in r.metrics]
        return {r.seed: r.metrics[metric] for r in records if r.seed is not None}

    def mean_and_std(self, metric: str) -> MeanAndStd | None:
        """Return mean and standard deviation of a metric; None if no record has it."""
        values = self.values(metric)
        return mean_and_std(values) if values else None


@dataclass(frozen=True, eq=False)
class ResultTable:
    """Rows of one kind of run and one protocol."""

    kind: str
    protocol: Mapping[str, Any]  # settings that all runs share
    rows: Sequence[ResultRow]

    @property
    def score(self) -> str:
        """The metric that ranks rows."""
        return score_name(self.kind)

    @property
    def records(self) -> list[RunRecord]:
        """The records of all rows."""
        return [record for row in self.rows for record in row.records]

    @property
    def metrics(self) -> list[str]:
        """All metrics of the records in the order of columns."""
        return list(dict.fromkeys(name for record in self.records for name in record.metrics))

    @property
    def cap(self) -> float | None:
        """Upper limit log K of the held-out I_NCE, nats."""
        return _scaled(self.protocol.get(CAP), 1)

    @property
    def chance(self) -> float | None:
        """Score of a constant guess, per cent."""
        return _scaled(self.protocol.get(CHANCE), 100)

    @property
    def points(self) -> list[tuple[int, MeanAndStd | None, MeanAndStd]]:
        """(Index, I_NCE, score) of every row with a score."""
        scores = [(i, row, row.mean_and_std(self.score)) for i, row in enumerate(self.rows)]
        return [(i, row.mean_and_std(I_NCE), score) for i, row, score in scores if score]

    def difference(self, row: ResultRow, other: ResultRow) -> PairedDifference | None:
        """Return the score of a row minus another's; all intervals with one row hold at once."""
        first, second = row.by_seed(self.score), other.by_seed(self.score)
        return paired_difference(first, second, comparisons=max(1, len(self.rows) - 1))


def score_name(kind: str) -> str:
    """Return the metric that ranks runs of a kind; higher is better."""
    return IOU if kind == "segment" else TOP1


def score_axis(score: str) -> str:
    """Return a score with the evaluation it comes from, for the axis of a chart."""
    return "segmentation, mean IoU %" if score == IOU else "linear probe, top-1 %"


def decimals(metric: str) -> int:
    """Return the number of decimals to show."""
    return 2 if metric.startswith("I_NCE") or metric == _POSITION else 1


def metrics(run: FinishedRun) -> dict[str, float]:
    """Return the recorded numbers of a run in the order of table columns."""
    result = run.result
    values = {name: _scaled(result.get(key), factor) for name, (key, factor) in _NUMBERS.items()}
    layers, accuracies = result.get("layers"), result.get("class_accuracy")
    for layer, scores in list(layers.items())[:_MOST] if isinstance(layers, dict) else []:
        if isinstance(scores, dict):
            values[f"{cut(str(layer), 40)}, {TOP1}"] = _scaled(scores.get("top1"), 100)
    values |= {name: _scaled(value, 1) for name, value in _i_nce(result.get("i_nce")).items()}
    for i, value in enumerate(accuracies[:_MOST] if isinstance(accuracies, list) else [], 1):
        values[f"c{i} %"] = _scaled(value, 100)
    seconds = result.get("seconds")
    values[MINUTES] = seconds / 60 if is_number(seconds) else None
    return {name: value for name, value in values.items() if value is not None}


def mean_and_std(values: Sequence[float]) -> MeanAndStd:
    """Return mean and sample standard deviation (n - 1) of at least one value."""
    std = statistics.stdev(values) if len(values) > 1 else None
    return MeanAndStd(statistics.fmean(values), std, tuple(values))


def paired_difference(
    first: Mapping[int, float], second: Mapping[int, float], comparisons: int = 1
) -> PairedDifference | None:
    """Return the mean of first minus second over common seeds; None without a common seed.

    Runs of one seed start from the same weights and see the same crops. The difference therefore
    varies less than the values. The interval is Student's, with Bonferroni's correction.

    Arguments:
        first, second: values by seed.
        comparisons: number of intervals that must hold at once in 95 % of cases.
    """
    gains = gains_by_seed(first, second)
    if not gains:
        return None
    mean, std, _ = mean_and_std(gains)
    n, wins = len(gains), sum(gain > 0 for gain in gains)
    if std is None:
        return PairedDifference(mean, None, None, wins, n)
    quantile = float(stdtrit(n - 1, 1 - (1 - _CONFIDENCE) / (2 * comparisons)))
    reach = quantile * std / math.sqrt(n)
    return PairedDifference(mean, mean - reach, mean + reach, wins, n)


def gains_by_seed(first: Mapping[int, float], second: Mapping[int, float]) -> list[float]:
    """Return first minus second for every common seed."""
    return [first[seed] - second[seed] for seed in sorted(first.keys() & second.keys())]


def _scaled(value: Any, factor: int) -> float | None:
    return factor * value if is_number(value) else None


def _i_nce(estimates: Any) -> dict[str, Any]:
    """Return the held-out estimate, or the estimates for pairs of views and values of K."""
    if isinstance(estimates, dict):
        return {I_NCE: estimates.get("value")}
    values = {}
    for estimate in estimates[:_MOST] if isinstance(estimates, list) else []:
        if isinstance(estimate, dict) and isinstance(pair := estimate.get("views"), list):
            views = "; ".join(f"v{i}" for i in pair[:2] if is_number(i))
            if is_number(k := estimate.get("k")):
                values[f"I_NCE({views}), K = {k}, nats"] = estimate.get("value")
    return values
