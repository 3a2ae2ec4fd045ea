r"""How embeddings lie on the sphere: how near positives are, how far and wide the rest spreads.

Numbers of one table of embeddings or features, without labels; rows are brought to length 1.

    alignment       E |z1 - z2|^alpha over positives; 0 is the same embedding        (Wang & Isola)
    uniformity      log E exp(-t |z - z'|^2) over pairs of samples, nats; 0 is one place for all
    deviation       sqrt(d) times the standard deviation of a coordinate; 1 is spread, 0 one place
    effective rank  exp of the entropy of the singular values, as shares of their sum

Sources: Wang & Isola 2020, arXiv:2005.10242, section 4.1 (alpha = 2, t = 2, as in their experiments
and code); Chen & He 2021 (SimSiam), arXiv:2011.10566, section 4.1; Roy & Vetterli, EUSIPCO 2007,
which Garrido et al. 2023, arXiv:2210.02885, found to foretell accuracy (RankMe).
"""

from math import log, sqrt

import torch
from jaxtyping import Float
from scipy.special import hyp0f1
from torch import Tensor
from torch.nn import functional as F


def alignment(z1: Float[Tensor, "n d"], z2: Float[Tensor, "n d"], alpha: float = 2.0) -> float:
    """Return the mean distance of positives, to the power of alpha: 0 to 4 for alpha = 2."""
    apart = _on_sphere(z1) - _on_sphere(z2)
    return apart.norm(dim=1).pow(alpha).mean().item()


def uniformity(z: Float[Tensor, "n d"], t: float = 2.0) -> float:
    """Return the logarithm of the mean Gaussian potential of all pairs of two samples, nats.

    -4t to 0, the lower, the more uniform; see `uniformity_of_sphere`.
    """
    return F.pdist(_on_sphere(z)).square().mul(-t).exp().mean().log().item()


def uniformity_of_sphere(d: int, t: float = 2.0) -> float:
    """Return the uniformity of embeddings drawn uniformly from the unit sphere in d dimensions.

    Of two such, |z - z'|^2 = 2 - 2 cos, and E exp(k cos) is the hypergeometric 0F1(; d/2; k^2/4),
    the normalisation of a von Mises-Fisher distribution.
    """
    return log(hyp0f1(d / 2, t**2)) - 2 * t


def deviation(z: Float[Tensor, "n d"]) -> float:
    """Return the standard deviation of the coordinates, averaged, in units of 1 / sqrt(d).

    1 for embeddings uniform on the sphere, 0 where all are the same. It is at most
    sqrt(1 - c), where c is the mean cosine of two samples.
    """
    return _on_sphere(z).std(dim=0, correction=0).mean().item() * sqrt(z.shape[1])


def effective_rank(x: Float[Tensor, "n d"]) -> float:
    """Return how many directions embeddings take, 1 to min(n, d); their mean counts as one.

    Rows are brought to length 1, so that a few long ones do not stand for all.
    """
    x = _on_sphere(x)
    gram = x @ x.mT if len(x) < x.shape[1] else x.mT @ x
    squares = torch.linalg.eigvalsh(gram)
    # the roots of what rounding leaves of zeros would add up to directions that are not there
    squares = squares[squares > len(gram) * torch.finfo(gram.dtype).eps * squares[-1]]
    shares = squares.sqrt() / squares.sqrt().sum()
    return torch.special.entr(shares).sum().exp().item()


def _on_sphere(x: Tensor) -> Float[Tensor, "n d"]:
    """Return rows of length 1, float64: what is left of a collapse lies below float32."""
    return F.normalize(x.double(), dim=1)
