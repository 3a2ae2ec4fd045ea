r"""Held-out estimate of I_NCE = log K - L_NCE <= I(v1; v2), with an interval.

The bound holds for any critic and never exceeds log K (K counts the positive). Near this cap, the
information may be far larger than the value. Estimate on pairs that trained nothing. A large K
raises the cap and costs little memory, because scores are computed and summed in blocks.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from infomin.core.errors import InputError, at_least
from infomin.information.bounds import to_bits
from infomin.information.critics import Critic, ScoreFunction

SATURATED = 0.9
"""Share of the cap log K above which a value is saturated."""
_SCORES = 2**21  # scores of a block


@dataclass(frozen=True)
class Estimate:
    """A held-out I_NCE, in nats, with a 95 % bootstrap interval over images.

    Attributes:
        value, low, high: estimate and interval.
        cap: log K, the largest possible value.
        images: number of measured images.
    """

    value: float
    low: float
    high: float
    cap: float
    images: int

    @property
    def saturated(self) -> bool:
        """Whether the value is near its cap, so that the information may be far larger."""
        return self.value > SATURATED * self.cap

    def format(self, bits: bool = False) -> str:
        """Return value, interval and cap as text, in nats or bits, and whether it is saturated."""
        numbers = (self.value, self.low, self.high, self.cap)
        value, low, high, cap = map(to_bits, numbers) if bits else numbers
        mark = ", saturated" if self.saturated else ""
        unit = "bits" if bits else "nats"
        return f"{value:.2f} [{low:.2f}, {high:.2f}] {unit}, cap {cap:.2f}{mark}"

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
) -> Estimate:
    """Estimate I_NCE from held-out pairs, in random groups of K; a remainder is dropped.

    Each measured pair has a log-ratio against the others of its group, averaged over both
    directions. The bootstrap resamples these log-ratios. Memory does not depend on K.

    Arguments:
        z1, z2: pairs, or their embeddings if `critic` is a function of scores.
        generator: of groups and bootstrap.
        anchors: approximate number of measured pairs; None measures all.
        resamples: number of bootstrap samples.

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
    ratio = torch.cat([_log_ratios(*group, score, measured, rows) for group in groups])
    if not ratio.isfinite().all():
        raise InputError("scores: expected finite numbers, got NaN or infinity among them")
    means = torch.stack(
        [
            ratio[torch.randint(len(ratio), (len(ratio),), generator=generator)].mean()
            for _ in range(resamples)
        ]
    )
    low, high = means.quantile(ratio.new_tensor([0.025, 0.975])).tolist()
    return Estimate(ratio.mean().item(), low, high, math.log(k), len(ratio))


def _log_ratios(
    z1: Tensor, z2: Tensor, score: ScoreFunction, measured: int, rows: int
) -> Float[Tensor, " m"]:
    """Return the log-ratios of the first pairs, averaged over both directions; float64, CPU.

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
    return (positive - (by_row + by_column) / 2 + math.log(k)).cpu()
