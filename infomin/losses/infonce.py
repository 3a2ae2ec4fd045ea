r"""InfoNCE between two batches of embeddings (van den Oord et al. 2018, arXiv:1807.03748).

L_NCE = -E[log exp(s_ii) / sum_j exp(s_ij)] with K terms in the denominator, the positive included.
Both directions, 1 -> 2 and 2 -> 1, are *averaged*: with their sum, log K - L would be no bound.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from infomin.core.errors import InputError, positive

Scores = Float[Tensor, "k l"]  # k = l is told in words, where it is not so


def cosine_scores(
    z1: Float[Tensor, "k d"], z2: Float[Tensor, "l d"], temperature: float
) -> Float[Tensor, "k l"]:
    """Return s_ij = cos(z1_i, z2_j) / tau, the critic of CMC.

    Raises:
        InputError: for a temperature that is not above 0.
    """
    positive("temperature", temperature)
    return F.normalize(z1, dim=-1) @ F.normalize(z2, dim=-1).mT / temperature


def infonce(scores: Scores) -> Float[Tensor, ""]:
    """Return L_NCE in nats: positives on the diagonal, mean of both directions.

    Raises:
        InputError: for scores that are no square, or of fewer than two samples.
    """
    square(scores)
    target = torch.arange(len(scores), device=scores.device)
    return (F.cross_entropy(scores, target) + F.cross_entropy(scores.mT, target)) / 2


@torch.no_grad()
def matched(scores: Scores) -> float:
    """Return the share of images whose own other view scores highest, both directions averaged.

    Raises:
        InputError: as `infonce`.
    """
    square(scores)
    target = torch.arange(len(scores), device=scores.device)
    hits = (scores.argmax(1) == target).float() + (scores.argmax(0) == target).float()
    return hits.mean().item() / 2


def square(scores: Tensor) -> None:
    """Make sure that scores are those of pairs, positives on the diagonal.

    Raises:
        InputError: when they are no square, or of fewer than two pairs.
    """
    if scores.ndim != 2 or scores.shape[0] != scores.shape[1]:
        raise InputError(
            "scores: expected a square matrix, positives on its diagonal, got "
            f"{' x '.join(map(str, scores.shape)) or 'a number'}"
        )
    if len(scores) < 2:
        raise InputError(f"scores: expected at least 2 pairs, got {len(scores)}")
