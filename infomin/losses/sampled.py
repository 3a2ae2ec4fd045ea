r"""Losses of one positive against m sampled negatives, per anchor: what memories are learned from.

    softmax    -log exp(p) / (exp(p) + sum_j exp(n_j))     the k+1-way form, I >= log(m + 1) - L
    logistic   noise-contrastive estimation                 needs Z, and n, the number of samples
    triplet    max(0, margin + n_j - p)                     no bound on anything

p and n_j are scores; softmax and logistic are in nats, a triplet in the units of scores. Sources:
CMC (arXiv:1906.05849), section 3.2 and appendix; logistic NCE is that of InstDis (arXiv:1805.01978,
equation 8), which CMC's code uses.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from infomin.core.errors import InputError
from infomin.losses.infonce import Scores, square

Positive = Float[Tensor, " b"]
Negatives = Float[Tensor, "b m"]
Nats = Float[Tensor, ""]


def softmax(positive: Positive, negatives: Negatives) -> Nats:
    """Return -log of the share of the positive among m + 1; log(m + 1) where all are alike.

    Negatives of -inf are none: they take part in no sum.

    Raises:
        InputError: for no anchor, or no negative.
    """
    _enough(negatives)
    every = torch.cat([positive[:, None], negatives], 1)
    return (every.logsumexp(1) - positive).mean()


def logistic(
    positive: Positive, negatives: Negatives, log_z: Float[Tensor, ""], samples: int
) -> Nats:
    """Return NCE: tell the positive from m draws of noise, which is uniform over all samples.

    With h = exp(s) / Z and P_n = 1 / n it is -log h(p) / (h(p) + m P_n), and for every negative
    -log m P_n / (h(n_j) + m P_n), summed over negatives, averaged over anchors. Negatives of -inf
    are none: an anchor's m counts the others.

    Arguments:
        positive, negatives: scores.
        log_z: log Z, which makes h a distribution over the samples; `estimated_log_z`.
        samples: n.

    Raises:
        InputError: for no anchor, or no negative.
    """
    _enough(negatives)
    m = _drawn(negatives).sum(1).clamp(min=1).to(positive)
    shift = log_z + (m / samples).log()  # log (Z m P_n)
    told = F.logsigmoid(positive - shift) + F.logsigmoid(shift[:, None] - negatives).sum(1)
    return -told.mean()


def estimated_log_z(negatives: Negatives, samples: int) -> Float[Tensor, ""]:
    """Return log Z = log(n mean exp s), as if all samples scored as these draws of them do."""
    _enough(negatives)
    scores = negatives.detach()
    number = _drawn(scores).sum().clamp(min=1).to(scores)
    return scores.flatten().logsumexp(0) + (samples / number).log()


def triplet(positive: Positive, negatives: Negatives, margin: float) -> Float[Tensor, ""]:
    """Return the mean of max(0, margin + n_j - p) over anchors and negatives.

    Raises:
        InputError: for no anchor, or no negative.
    """
    _enough(negatives)
    return (margin + negatives - positive[:, None]).relu().mean()


def apart(scores: Scores) -> tuple[Float[Tensor, " k"], Float[Tensor, "k m"]]:
    """Return the scores of a batch as positives, on the diagonal, and k - 1 negatives a row.

    Raises:
        InputError: for scores that are no square, or of fewer than two samples.
    """
    square(scores)
    k = len(scores)
    others = scores.flatten()[1:].view(k - 1, k + 1)[:, :-1].reshape(k, k - 1)
    return scores.diagonal(), others


def _drawn(negatives: Tensor) -> Tensor:
    """Tell which negatives are some."""
    return negatives.detach() > -torch.inf


def _enough(negatives: Tensor) -> None:
    anchors, m = negatives.shape
    if anchors < 1 or m < 1:
        raise InputError(
            f"negatives: expected at least one for at least one anchor, got {m} for {anchors}"
        )
