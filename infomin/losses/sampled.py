r"""Losses of one positive against m sampled negatives that are not the softmax of `infonce`.

    logistic   noise-contrastive estimation         needs Z, and n, the number of samples; nats
    triplet    max(0, margin + n_j - p)             bounds nothing; in the unit of the scores

p and n_j are scores. Sources: CMC (arXiv:1906.05849), section 3.2 and appendix; logistic NCE is
that of InstDis (arXiv:1805.01978, equation 8), which CMC's code uses (HobbitLong/CMC,
NCE/NCECriterion.py). All raise an InputError without an anchor or a negative.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from infomin.losses.infonce import Nats, Negatives, Positive, check_negatives


def logistic(
    positive: Positive, negatives: Negatives, log_z: Float[Tensor, ""], samples: int
) -> Nats:
    """Return the NCE loss: tell the positive from m draws of noise, uniform over all samples.

    With h = exp(s) / Z and P_n = 1 / n it is -log h(p) / (h(p) + m P_n), and for every negative
    -log m P_n / (h(n_j) + m P_n), summed over negatives, averaged over anchors. Negatives of -inf
    are ignored: m counts the others.

    Arguments:
        positive, negatives: scores.
        log_z: log Z, which makes h a distribution over the samples; see `estimated_log_z`.
        samples: n.
    """
    check_negatives(negatives)
    m = (negatives.detach() > -torch.inf).sum(1).clamp(min=1).to(positive)
    shift = log_z + (m / samples).log()  # log (Z m P_n)
    loss = F.logsigmoid(positive - shift) + F.logsigmoid(shift[:, None] - negatives).sum(1)
    return -loss.mean()


def estimated_log_z(positive: Positive, negatives: Negatives, samples: int) -> Nats:
    """Return log Z = log(n mean exp s) over all scores of a batch, positives among them.

    This is the rule of the authors' code, `out.mean() * outputSize` over K + 1 columns
    (HobbitLong/CMC, NCE/NCEAverage.py; zhirongw/lemniscate.pytorch, lib/NCEAverage.py). Scores of
    -inf are ignored.

    Arguments:
        positive, negatives: scores.
        samples: n.
    """
    check_negatives(negatives)
    scores = torch.cat([positive[:, None], negatives], 1).detach().flatten()
    number = (scores > -torch.inf).sum().to(scores)
    return scores.logsumexp(0) + (samples / number).log()


def triplet(positive: Positive, negatives: Negatives, margin: float) -> Float[Tensor, ""]:
    """Return the mean of max(0, margin + n_j - p) over anchors and negatives."""
    check_negatives(negatives)
    return (margin + negatives - positive[:, None]).relu().mean()
