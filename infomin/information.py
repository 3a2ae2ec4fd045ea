r"""How many nats two views share: I_NCE = log K - L_NCE <= I(v1; v2).

The bound holds for any critic and never exceeds log K (K counts the positive); near that cap it
says "at least", not "about". Reported values are held out: measured on images that trained nothing.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from infomin.errors import InputError
from infomin.losses.infonce import cosine_scores, infonce

SATURATED = 0.9
"""Share of the cap log K above which a value is flagged."""


def i_nce(scores: Float[Tensor, "k k"]) -> Float[Tensor, ""]:
    """Return I_NCE in nats, from scores whose positives are on the diagonal; 0 for constants."""
    return math.log(len(scores)) - infonce(scores)


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

    def __str__(self) -> str:
        mark = ", saturated" if self.saturated else ""
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}] nats, cap {self.cap:.2f}{mark}"


@torch.no_grad()
def estimate(
    z1: Float[Tensor, "n d"],
    z2: Float[Tensor, "n d"],
    temperature: float,
    k: int,
    generator: torch.Generator,
    resamples: int = 1000,
) -> Estimate:
    """Estimate I_NCE from held-out embeddings, in random batches of K.

    Images are shuffled and cut into batches of K, a rest dropped; the interval resamples the
    per-image log-ratios, both directions averaged.

    Raises:
        InputError: for K < 2 or fewer images than K.
    """
    if k < 2 or len(z1) < k:
        raise InputError(f"k: expected 2 <= K <= {len(z1)} held-out images, got {k}")
    order = torch.randperm(len(z1), generator=generator).to(z1.device)
    ratios = []
    for chosen in order[: len(order) // k * k].split(k):
        scores = cosine_scores(z1[chosen], z2[chosen], temperature)
        forward, backward = scores.log_softmax(1).diagonal(), scores.log_softmax(0).diagonal()
        ratios.append(math.log(k) + (forward + backward) / 2)
    ratio = torch.cat(ratios).double().cpu()
    draws = torch.randint(len(ratio), (resamples, len(ratio)), generator=generator)
    low, high = ratio[draws].mean(1).quantile(ratio.new_tensor([0.025, 0.975])).tolist()
    return Estimate(ratio.mean().item(), low, high, math.log(k), len(ratio))
