"""Signs that a held-out estimate of information is not to be trusted, as flags in plain words.

The interval of an estimate is of sampling alone. A critic that has learned too little, or that a
few pairs of extreme values have spoilt, moves the value by far more than the interval shows. Not
all of that can be seen from scores; a flag is raised for what can.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

SATURATED = 0.9
"""Share of the cap log K above which a value is saturated."""
MOST_LARGE_PAIRS, DOMINANT = 0.01, 0.5
"""A sum is dominated where this share of its pairs makes up more than this share of it."""
LARGE_SCORE = 300.0
"""Magnitude of scores that a critic of a smooth density ratio does not need: critics of up to 8
nats had at most 66, those of a box with sharp edges above 1,000 (docs/decisions/0006)."""
STILL_FALLING = 0.05
"""Fall of the held-out loss in the last fifth of a training, nats, after which more would help."""

MEANING = {
    "saturated": "the value is near its cap log K, so that the views may share far more",
    "below 0": "information is never below 0, so the critic is worse than constant scores",
    "few pairs dominate": "a hundredth of the pairs makes up more than half of the sum, so that "
    "the sampling interval means little",
    "large scores": "scores are far larger than log density ratios of smooth densities, so that "
    "inputs have heavy tails, or densities sharp edges, and the value may be too low",
    "still learning": "the held-out loss of the critic was still falling at the end of its "
    "training, so that the value is too low",
}
"""Meanings of the flags, in words."""


def dominance(log_ratios: Float[Tensor, " m"]) -> float:
    """Return the share of the sum of |log-ratios| that the largest hundredth of them makes up.

    A normal distribution has 0.04, a Cauchy distribution of a thousand pairs mostly above 0.6.
    """
    sizes = log_ratios.abs().sort(descending=True).values
    total = sizes.sum()
    number = int(MOST_LARGE_PAIRS * len(sizes))  # 0 of fewer than a hundred pairs
    return (sizes[:number].sum() / total).item() if total > 0 else 0.0


def recent_fall(losses: Sequence[float]) -> float | None:
    """Return the fall of held-out losses in the last fifth of a training, against the fifth before.

    Arguments:
        losses: of equal distances over the whole training, in order.

    Returns:
        Nats; None for fewer than five losses.
    """
    fifth = len(losses) // 5
    if fifth < 1:
        return None
    last = torch.tensor(losses[-fifth:], dtype=torch.float64)
    before = torch.tensor(losses[-2 * fifth : -fifth], dtype=torch.float64)
    return (before.mean() - last.mean()).item()


def find_flags(
    value: float, cap: float, largest_score: float, dominance: float, fall: float | None
) -> tuple[str, ...]:
    """Return the flags of an estimate, in the order of `MEANING`; see `Estimate`."""
    signs = {
        "saturated": value > SATURATED * cap,
        "below 0": value < 0,
        "few pairs dominate": dominance > DOMINANT,
        "large scores": largest_score > LARGE_SCORE,
        "still learning": fall is not None and fall > STILL_FALLING,
    }
    return tuple(name for name in MEANING if signs[name])
