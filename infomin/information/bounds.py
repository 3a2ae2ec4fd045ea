r"""Bounds on I(v1; v2) in nats, as functions of a matrix of scores (Poole et al. 2019, section 2).

s_ij is the score that a critic gives to v1_i and v2_j. Positives are on the diagonal; the other
scores stand for independent pairs. All bounds are symmetric in the views. Their limits differ:

    bound                      best critic          maximum     limitation
    i_nce                      log p(y|x)/p(y) + c  log K       cannot exceed its cap
    donsker_varadhan           log p(y|x)/p(y) + c  -           variance e^I
    nwj                        log p(y|x)/p(y)      -           variance e^I; needs c = 0
    clipped_donsker_varadhan   log p(y|x)/p(y)      about clip  less variance, but not a bound
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from infomin.core.errors import InputError, positive
from infomin.losses.infonce import Scores, check_square

Nats = Float[Tensor, ""]


def i_nce(scores: Scores) -> Nats:
    """Return I_NCE = log K - L_NCE, both directions averaged (CPC, arXiv:1807.03748).

    K counts the positive. The value is exactly 0 for constant scores and at most log K.

    Raises:
        InputError: for scores that are not square, not finite, or of fewer than two pairs.
    """
    _check(scores)
    own = scores.diagonal()  # subtract first: rounding of large scores would lose log K
    rows, columns = log_mean_exp(scores - own[:, None], 1), log_mean_exp(scores - own, 0)
    return -((rows + columns) / 2).mean()


def donsker_varadhan(scores: Scores) -> Nats:
    """Return E_joint[s] - log E_independent[exp s] (Donsker and Varadhan 1983; MINE).

    The value is exactly 0 for constant scores.

    Raises:
        InputError: as `i_nce`.
    """
    _check(scores)
    return (scores.diagonal() - log_mean_exp(_independent(scores), 0)).mean()


def nwj(scores: Scores) -> Nats:
    """Return 1 + E_joint[s] - E_independent[exp s] (Nguyen, Wainwright, Jordan 2010).

    The scores are shifted by 1 from the usual form. So the best critic is log p(y|x)/p(y), as for
    the other bounds, and scores of 0 give exactly 0.

    Raises:
        InputError: as `i_nce`.
    """
    _check(scores)
    return 1 + scores.diagonal().mean() - _independent(scores).exp().mean()


def clipped_donsker_varadhan(scores: Scores, clip: float = 5.0) -> Nats:
    """Return `donsker_varadhan` with independent scores clipped (SMILE, arXiv:1910.06222, eq. 12).

    Clipping limits the weight of large scores in the mean of exp s. The value may exceed I(v1; v2).

    Arguments:
        clip: tau, nats, > 0; scores of independent pairs are clipped to [-clip, clip].

    Raises:
        InputError: as `i_nce`, or for a clip that is not > 0.
    """
    _check(scores)
    positive("clip", clip)
    clipped = _independent(scores).clamp(-clip, clip)
    return (scores.diagonal() - log_mean_exp(clipped, 0)).mean()


def log_mean_exp(x: Tensor, dim: int) -> Tensor:
    """Return log mean exp x; exactly c if all x are c."""
    highest = x.amax(dim, keepdim=True)
    return (x - highest).exp_().mean(dim).log() + highest.squeeze(dim)


def to_bits(nats: float) -> float:
    """Convert nats to bits."""
    return nats / math.log(2)


def _independent(scores: Tensor) -> Tensor:
    """Return the off-diagonal scores as a vector."""
    k = len(scores)
    return scores.flatten()[1:].view(k - 1, k + 1)[:, :-1].flatten()


def _check(scores: Tensor) -> None:
    check_square(scores)
    if not torch.isfinite(scores.detach()).all():
        raise InputError("scores: expected finite numbers, got NaN or infinity among them")
