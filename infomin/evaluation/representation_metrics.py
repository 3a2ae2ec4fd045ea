r"""Metrics of representations without labels: alignment, uniformity, deviation, effective rank.

They take embeddings or features, one row per image, and normalise rows to length 1.

    alignment       E |z1 - z2|^2 over positives; 0 if positives are equal
    uniformity      log E exp(-2 |z - z'|^2) over pairs of samples, nats; 0 if all rows are equal
    deviation       sqrt(d) times the standard deviation of a coordinate; 1 uniform, 0 all equal
    effective rank  exp of the entropy of the singular values, as shares of their sum

Sources: Wang & Isola 2020, arXiv:2005.10242, section 4.1 (with alpha = 2 and t = 2, as in their
experiments); Chen & He 2021 (SimSiam), arXiv:2011.10566, section 4.1; Roy & Vetterli, EUSIPCO 2007,
which predicts accuracy in Garrido et al. 2023, arXiv:2210.02885 (RankMe).
"""

from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def alignment(z1: Float[Tensor, "n d"], z2: Float[Tensor, "n d"]) -> float:
    """Return the mean squared distance of positives, 0 to 4."""
    return (_normalize(z1) - _normalize(z2)).norm(dim=1).square().mean().item()


def uniformity(z: Float[Tensor, "n d"]) -> float:
    """Return the log of the mean Gaussian potential over all pairs of samples, nats.

    The value is in [-8, 0]; lower is more uniform. Uniform in many dimensions is almost -4.
    """
    return F.pdist(_normalize(z)).square().mul(-2).exp().mean().log().item()


def deviation(z: Float[Tensor, "n d"]) -> float:
    """Return the mean standard deviation of the coordinates, in units of 1 / sqrt(d).

    The value is 1 for uniform embeddings and 0 for equal ones. It is at most sqrt(1 - c), where c
    is the mean cosine of two samples.
    """
    return _normalize(z).std(dim=0, correction=0).mean().item() * sqrt(z.shape[1])


def effective_rank(x: Float[Tensor, "n d"]) -> float:
    """Return the effective number of directions, 1 to min(n, d); a mean counts as one.

    Rows are normalised first, so long rows have no more weight than others.
    """
    x = _normalize(x)
    gram = x @ x.mT if len(x) < x.shape[1] else x.mT @ x
    squares = torch.linalg.eigvalsh(gram)
    # drop rounding errors of zeros, whose roots would add directions
    squares = squares[squares > len(gram) * torch.finfo(gram.dtype).eps * squares[-1]]
    shares = squares.sqrt() / squares.sqrt().sum()
    return torch.special.entr(shares).sum().exp().item()


def _normalize(x: Tensor) -> Float[Tensor, "n d"]:
    """Return rows of length 1 in float64; after a collapse, differences are below float32."""
    return F.normalize(x.double(), dim=1)
