r"""How many nats two views share, held out: I_NCE = log K - L_NCE <= I(v1; v2), with an interval.

The bound holds for any critic and never exceeds log K (K counts the positive); near that cap it
says "at least", not "about". Reported values are held out: measured on pairs that trained nothing.
A large K raises the cap and costs little memory: scores are made and summed up in pieces.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from infomin.core.errors import InputError, at_least
from infomin.information.bounds import in_bits
from infomin.information.critics import Compare, Critic

SATURATED = 0.9
"""Share of the cap log K above which a value is flagged."""
_SCORES = 2**21  # at once


@dataclass(frozen=True)
class Estimate:
    """A held-out I_NCE, in nats, with a 95 % bootstrap interval over images.

    Attributes:
        value, low, high: estimate and interval.
        cap: log K, which no value can exceed.
        images: number of images it was measured on.
    """

    value: float
    low: float
    high: float
    cap: float
    images: int

    @property
    def saturated(self) -> bool:
        """Whether the value is so near its cap that the true information may be far larger."""
        return self.value > SATURATED * self.cap

    def told(self, bits: bool = False) -> str:
        """Return value, interval, cap and a flag as text, in nats or bits."""
        numbers = (self.value, self.low, self.high, self.cap)
        value, low, high, cap = map(in_bits, numbers) if bits else numbers
        mark = ", saturated" if self.saturated else ""
        unit = "bits" if bits else "nats"
        return f"{value:.2f} [{low:.2f}, {high:.2f}] {unit}, cap {cap:.2f}{mark}"

    def __str__(self) -> str:
        return self.told()


@torch.no_grad()
def estimate(
    z1: Float[Tensor, "n ..."],
    z2: Float[Tensor, "n ..."],
    critic: Critic | Compare,
    k: int,
    generator: torch.Generator,
    anchors: int | None = None,
    resamples: int = 1000,
) -> Estimate:
    """Estimate I_NCE from held-out pairs, in random groups of K.

    Pairs are shuffled and cut into groups of K, a rest dropped. Of each pair that is measured the
    log-ratio is taken in both directions, against the others of its group; the interval resamples
    these. Memory does not depend on K.

    Arguments:
        z1, z2: pairs; embeddings of them where `critic` only compares.
        critic: embeds and compares, or scores of embeddings, `(a, ...)` and `(b, ...)` to `(a, b)`.
        k: K.
        generator: of groups and interval.
        anchors: about how many pairs are measured; None measures all, which takes K scores each.
        resamples: of the bootstrap.

    Raises:
        InputError: for z1 and z2 of different length, K < 2, fewer pairs than K, no anchor, or
            scores that are not finite.
    """
    if len(z1) != len(z2):
        raise InputError(f"z1, z2: expected pairs, as many in both, got {len(z1)} and {len(z2)}")
    if k < 2 or len(z1) < k:
        raise InputError(f"k: expected 2 <= K <= {len(z1)} held-out images, got {k}")
    if anchors is not None:
        at_least("anchors", anchors, 1)
    compare: Compare = critic
    if isinstance(critic, Critic):
        z1, z2, compare = critic.first(z1), critic.second(z2), critic.score
    order = torch.randperm(len(z1), generator=generator).to(z1.device)[: len(z1) // k * k]
    z1 = z1[order]  # one after the other: a large K is much of the data
    z2 = z2[order]
    groups = [*zip(z1.split(k), z2.split(k), strict=True)]
    measured = k if anchors is None else min(k, math.ceil(anchors / len(groups)))
    rows = max(1, _SCORES // k)
    ratio = torch.cat([_log_ratios(*group, compare, measured, rows) for group in groups])
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
    z1: Tensor, z2: Tensor, compare: Compare, measured: int, rows: int
) -> Float[Tensor, " m"]:
    """Return the mean of both directions' log-ratios of the first pairs, float64, on the CPU.

    Every score is made once: a piece of rows gives all of their sums, and a share of those of
    columns.
    """
    k, sums = len(z1), z1.new_empty(3, measured, dtype=torch.float64)
    positive, by_row, by_column = sums  # made once: small tensors between large ones pin memory
    by_column.fill_(-torch.inf)
    for begin in range(0, k, rows):
        here, known = slice(begin, min(begin + rows, k)), slice(begin, min(begin + rows, measured))
        scores = compare(z1[here], z2 if begin < measured else z2[:measured])
        if begin < measured:
            number = known.stop - begin
            positive[known] = scores.diagonal(begin)[:number]
            by_row[known] = scores.logsumexp(1)[:number]
        columns = scores[:, :measured].logsumexp(0).double()
        torch.logaddexp(by_column, columns, out=by_column)
    return (positive - (by_row + by_column) / 2 + math.log(k)).cpu()
