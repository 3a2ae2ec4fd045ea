r"""Bounds on I(v1; v2) in nats, as functions of a matrix of scores (Poole et al. 2019, section 2).

s_ij is what a critic says of v1_i and v2_j; positives are on the diagonal, what is off it stands
for independent pairs. All are symmetric in the views. They differ in what they cannot do:

    bound                      best critic          ends at     trouble
    i_nce                      log p(y|x)/p(y) + c  log K       blind above its cap
    donsker_varadhan           likewise             -           variance e^I
    nwj                        log p(y|x)/p(y)      -           variance e^I; wants c = 0
    clipped_donsker_varadhan   likewise             about clip  less variance, and no bound any more
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from infomin.core.errors import InputError, positive
from infomin.losses.infonce import Scores, check_square

Nats = Float[Tensor, ""]


def i_nce(scores: Scores) -> Nats:
    """Return I_NCE = log K - L_NCE, both directions averaged (CPC, arXiv:1807.03748).

    K counts the positive. Exactly 0 for constant scores, and never above log K.

    Raises:
        InputError: for scores that are no square, of fewer than two pairs, or not finite.
    """
    _checked(scores)
    own = scores.diagonal()  # taken off first: large scores would lose log K in the rounding
    rows, columns = log_mean_exp(scores - own[:, None], 1), log_mean_exp(scores - own, 0)
    return -((rows + columns) / 2).mean()


def donsker_varadhan(scores: Scores) -> Nats:
    """Return E_joint[s] - log E_independent[exp s] (Donsker and Varadhan 1983; MINE).

    Exactly 0 for constant scores.

    Raises:
        InputError: as `i_nce`.
    """
    _checked(scores)
    return (scores.diagonal() - log_mean_exp(_independent(scores), 0)).mean()


def nwj(scores: Scores) -> Nats:
    """Return 1 + E_joint[s] - E_independent[exp s] (Nguyen, Wainwright, Jordan 2010).

    With s shifted by 1 against its usual form, so that the best critic is log p(y|x)/p(y), as for
    the others, and scores of 0 give exactly 0.

    Raises:
        InputError: as `i_nce`.
    """
    _checked(scores)
    return 1 + scores.diagonal().mean() - _independent(scores).exp().mean()


def clipped_donsker_varadhan(scores: Scores, clip: float = 5.0) -> Nats:
    """Return `donsker_varadhan` with independent scores clipped (SMILE, arXiv:1910.06222, eq. 12).

    A few large scores no longer decide the mean of exp s. What it returns may exceed I(v1; v2).

    Arguments:
        scores: of the critic.
        clip: tau, nats, > 0; scores of independent pairs go into [-clip, clip].

    Raises:
        InputError: as `i_nce`, or for another clip.
    """
    _checked(scores)
    positive("clip", clip)
    kept = _independent(scores).clamp(-clip, clip)
    return (scores.diagonal() - log_mean_exp(kept, 0)).mean()


BOUNDS: dict[str, Callable[[Tensor], Tensor]] = {
    "i_nce": i_nce,
    "donsker_varadhan": donsker_varadhan,
    "nwj": nwj,
    "clipped_donsker_varadhan": clipped_donsker_varadhan,
}


def log_mean_exp(x: Tensor, dim: int) -> Tensor:
    """Return log mean exp x, which is exactly c where all x are c."""
    highest = x.amax(dim, keepdim=True)
    return (x - highest).exp_().mean(dim).log() + highest.squeeze(dim)


def in_bits(nats: float) -> float:
    """Return what a number of nats is in bits."""
    return nats / math.log(2)


def _independent(scores: Tensor) -> Tensor:
    """Return the scores off the diagonal, one row of them."""
    k = len(scores)
    return scores.flatten()[1:].view(k - 1, k + 1)[:, :-1].flatten()


def _checked(scores: Tensor) -> None:
    check_square(scores)
    if not torch.isfinite(scores.detach()).all():
        raise InputError("scores: expected finite numbers, got NaN or infinity among them")
