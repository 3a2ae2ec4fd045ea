r"""Held-out estimate of I_NCE = log K - L_NCE <= I(v1; v2), with an interval.

The bound holds for any critic and never exceeds log K (K counts the positive). Near this cap, the
information may be far larger than the value. Estimate on pairs that trained nothing. A large K
raises the cap and costs little memory, because scores are computed and summed in blocks.

The interval is of sampling alone. `Estimate.flags` names other signs of a wrong value.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from infomin.core.errors import InputError, at_least
from infomin.information.bounds import to_bits
from infomin.information.critics import Critic, ScoreFunction
from infomin.information.flags import dominance, find_flags, recent_fall

_SCORES = 2**21  # scores of a block


@dataclass(frozen=True)
class Estimate:
    """A held-out I_NCE, in nats, with a 95 % bootstrap interval over images.

    The interval is of sampling alone: it tells how far the value of other held-out images would
    be. It knows neither the cap nor how much the critic has left to learn; see `flags`.

    Attributes:
        value, low, high: estimate and sampling interval.
        cap: log K, the largest possible value.
        images: number of measured images.
        largest_score: magnitude, of positives and of log-sums of scores.
        dominance: share of the sum that the largest hundredth of the pairs makes up.
        fall: of the critic's held-out loss in the last fifth of its training, nats; None is
            unknown.
    """

    value: float
    low: float
    high: float
    cap: float
    images: int
    largest_score: float = 0.0
    dominance: float = 0.0
    fall: float | None = None

    @property
    def saturated(self) -> bool:
        """Whether the value is near its cap, so that the information may be far larger."""
        return "saturated" in self.flags

    @property
    def flags(self) -> tuple[str, ...]:
        """Signs that the value is not to be trusted, by their names in `flags.MEANING`."""
        return find_flags(self.value, self.cap, self.largest_score, self.dominance, self.fall)

    def record(self) -> dict[str, Any]:
        """Return all attributes, and the flags, for the result of a run."""
        return asdict(self) | {"flags": [*self.flags]}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Estimate":
        """Return the estimate of a record, also of one from earlier versions."""
        return cls(**{f.name: record[f.name] for f in fields(cls) if f.name in record})

    def format(self, bits: bool = False) -> str:
        """Return value, sampling interval, cap and flags as text, in nats or bits."""
        numbers = (self.value, self.low, self.high, self.cap)
        value, low, high, cap = map(to_bits, numbers) if bits else numbers
        unit = "bits" if bits else "nats"
        interval = f"sampling interval {low:.2f} to {high:.2f}"
        return ", ".join([f"{value:.2f} {unit}", interval, f"cap {cap:.2f}", *self.flags])

    def __str__(self) -> str:
        return self.format()


@torch.no_grad()
def estimate(
    z1: Float[Tensor, "n ..."],
    z2: Float[Tensor, "n ..."],
    critic: Critic | ScoreFunction,
    k: int,
    generator: torch.Generator,
    anchors: int | None = None,
    resamples: int = 1000,
    losses: Sequence[float] = (),
) -> Estimate:
    """Estimate I_NCE from held-out pairs, in random groups of K; a remainder is dropped.

    Each measured pair has a log-ratio against the others of its group, averaged over both
    directions. The bootstrap resamples these log-ratios. Memory does not depend on K.

    Arguments:
        z1, z2: pairs, or their embeddings if `critic` is a function of scores.
        generator: of groups and bootstrap.
        anchors: approximate number of measured pairs; None measures all.
        resamples: number of bootstrap samples.
        losses: held-out losses of the critic during its training, at equal distances, which tell
            whether it was still learning; empty where they are not known.

    Raises:
        InputError: for z1 and z2 of different length, K < 2, fewer pairs than K, less than one
            anchor, or scores that are not finite.
    """
    if len(z1) != len(z2):
        raise InputError(f"z1, z2: expected the same number of rows, got {len(z1)} and {len(z2)}")
    if k < 2 or len(z1) < k:
        raise InputError(f"k: expected 2 <= K <= {len(z1)} held-out images, got {k}")
    if anchors is not None:
        at_least("anchors", anchors, 1)
    score: ScoreFunction = critic
    if isinstance(critic, Critic):
        z1, z2, score = critic.first(z1), critic.second(z2), critic.score
    order = torch.randperm(len(z1), generator=generator).to(z1.device)[: len(z1) // k * k]
    z1 = z1[order]  # in two statements: with a large K each copy is most of the data
    z2 = z2[order]
    groups = [*zip(z1.split(k), z2.split(k), strict=True)]
    measured = k if anchors is None else min(k, math.ceil(anchors / len(groups)))
    rows = max(1, _SCORES // k)
    parts = [_log_ratios(*group, score, measured, rows) for group in groups]
    ratio = torch.cat([part for part, _ in parts])
    largest = max(size for _, size in parts)
    if not ratio.isfinite().all():
        raise InputError("scores: expected finite numbers, got NaN or infinity among them")
    means = torch.stack(
        [
            ratio[torch.randint(len(ratio), (len(ratio),), generator=generator)].mean()
            for _ in range(resamples)
        ]
    )
    low, high = means.quantile(ratio.new_tensor([0.025, 0.975])).tolist()
    return Estimate(
        ratio.mean().item(),
        low,
        high,
        math.log(k),
        len(ratio),
        largest,
        dominance(ratio),
        recent_fall(losses),
    )


def _log_ratios(
    z1: Tensor, z2: Tensor, score: ScoreFunction, measured: int, rows: int
) -> tuple[Float[Tensor, " m"], float]:
    """Return the log-ratios of the first pairs, and the largest magnitude of their parts.

    Log-ratios are averaged over both directions; float64, on the CPU.

    Each score is computed once. A block of rows gives all sums over its rows and a part of the
    sums over columns.
    """
    k = len(z1)
    # one allocation: small tensors between large ones fragment memory
    positive, by_row, by_column = z1.new_empty(3, measured, dtype=torch.float64)
    by_column.fill_(-torch.inf)
    for begin in range(0, k, rows):
        block, anchors = (slice(begin, min(begin + rows, end)) for end in (k, measured))
        scores = score(z1[block], z2 if begin < measured else z2[:measured])
        if begin < measured:
            number = anchors.stop - begin
            positive[anchors] = scores.diagonal(begin)[:number]
            by_row[anchors] = scores.logsumexp(1)[:number]
        columns = scores[:, :measured].logsumexp(0).double()
        torch.logaddexp(by_column, columns, out=by_column)
    largest = torch.stack([positive, by_row, by_column]).abs().max().item()
    return (positive - (by_row + by_column) / 2 + math.log(k)).cpu(), largest
