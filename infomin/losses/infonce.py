r"""InfoNCE, the softmax loss of contrastive learning (CPC: van den Oord et al., 1807.03748).

    L_NCE = -E[log exp(s_ii) / sum_j exp(s_ij)]     K terms in the denominator with the positive

Of a matrix of scores both directions, 1 -> 2 and 2 -> 1, are *averaged*: log K - L bounds the
mutual information only for the mean, not for the sum.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from infomin.core.errors import InputError, positive

Scores = Float[Tensor, "k l"]  # k = l is checked in words, by `check_square`
Positive = Float[Tensor, " b"]
Negatives = Float[Tensor, "b m"]
Nats = Float[Tensor, ""]


def cosine_scores(
    z1: Float[Tensor, "k d"], z2: Float[Tensor, "l d"], temperature: float
) -> Float[Tensor, "k l"]:
    """Return s_ij = cos(z1_i, z2_j) / tau, the critic of CMC and SimCLR.

    Raises:
        InputError: for a temperature tau that is not above 0.
    """
    if not temperature > 0:
        positive("temperature", temperature)
    return F.normalize(z1, dim=-1) @ F.normalize(z2, dim=-1).mT / temperature


def info_nce(z1: Float[Tensor, "k d"], z2: Float[Tensor, "k d"], temperature: float = 0.1) -> Nats:
    """Return L_NCE of two batches of embeddings, in nats, with the other samples as negatives.

    I_NCE = log K - L_NCE is a lower bound on the mutual information (CPC, section 2.3). It is
    computed in float32 at least, under autocast too.

    Arguments:
        z1, z2: embeddings of two views of K samples, positives at the same row; of any length and
            any float type.
        temperature: tau > 0 of the cosine scores.

    Raises:
        InputError: for a temperature <= 0, fewer than two samples, batches of different length, or
            embeddings that are not float tensors.
    """
    for name, z in (("z1", z1), ("z2", z2)):
        if not isinstance(z, Tensor) or not z.is_floating_point():
            got = z.dtype if isinstance(z, Tensor) else type(z).__name__
            raise InputError(f"{name}: expected a float tensor of embeddings, got {got}")
    dtype = torch.promote_types(torch.promote_types(z1.dtype, z2.dtype), torch.float32)
    with torch.autocast(z1.device.type, enabled=False):
        return infonce(cosine_scores(z1.to(dtype), z2.to(dtype), temperature))


def infonce(scores: Scores) -> Nats:
    """Return L_NCE of square scores in nats: positives on the diagonal, mean of both directions.

    Raises:
        InputError: for scores that are not square, or of fewer than two samples.
    """
    check_square(scores)
    target = torch.arange(len(scores), device=scores.device)
    return (F.cross_entropy(scores, target) + F.cross_entropy(scores.mT, target)) / 2


def softmax(positive: Positive, negatives: Negatives) -> Nats:
    """Return L_NCE of one direction in nats, with m negatives per anchor given apart.

    Negatives of -inf are ignored. The loss is log(m + 1) where all scores are equal.
    """
    check_negatives(negatives)
    scores = torch.cat([positive[:, None], negatives], 1)
    return (scores.logsumexp(1) - positive).mean()


@torch.no_grad()
def top1(scores: Scores) -> float:
    """Return the share of samples whose positive scores highest, mean of both directions."""
    check_square(scores)
    target = torch.arange(len(scores), device=scores.device)
    hits = (scores.argmax(1) == target).float() + (scores.argmax(0) == target).float()
    return hits.mean().item() / 2


def split_positives(scores: Scores) -> tuple[Float[Tensor, " k"], Float[Tensor, "k m"]]:
    """Return the diagonal of square scores, the positives, and the k - 1 negatives of each row."""
    check_square(scores)
    k = len(scores)
    negatives = scores.flatten()[1:].view(k - 1, k + 1)[:, :-1].reshape(k, k - 1)
    return scores.diagonal(), negatives


def check_square(scores: Tensor) -> None:
    """Check that scores are k x k with k >= 2, positives on the diagonal.

    Raises:
        InputError: for another shape.
    """
    if scores.ndim != 2 or scores.shape[0] != scores.shape[1]:
        raise InputError(
            "scores: expected a square matrix, positives on its diagonal, got "
            f"{' x '.join(map(str, scores.shape)) or 'a number'}"
        )
    if len(scores) < 2:
        raise InputError(f"scores: expected at least 2 pairs, got {len(scores)}")


def check_negatives(negatives: Tensor) -> None:
    """Check that there is at least one anchor with at least one negative.

    Raises:
        InputError: where there is none.
    """
    anchors, m = negatives.shape
    if anchors < 1 or m < 1:
        raise InputError(
            f"negatives: expected at least one for at least one anchor, got {m} for {anchors}"
        )
