r"""InfoNCE of a large batch, whose scores are never there all at once.

K embeddings of width d take K d numbers, their scores K^2: at K = 4,096 the scores, their softmax
and its gradient take hundreds of megabytes. Here a block of rows is scored at a time. A first pass
keeps the logarithm of the sum of every row, and of every column as it grows; those are enough for
the gradient of any score, which a second pass computes block by block:

    dL / ds_ij = (exp(s_ij - log sum_l exp s_il) + exp(s_ij - log sum_l exp s_lj) - 2 [i = j]) / 2K

The result is `infonce` of `cosine_scores`, and its gradient; the scores are computed twice.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from infomin.core.errors import InputError, positive, whole_number


def infonce_in_blocks(
    z1: Float[Tensor, "k d"], z2: Float[Tensor, "l d"], temperature: float, rows: int
) -> tuple[Float[Tensor, ""], float]:
    """Return L_NCE in nats and the accuracy `top1`, of the cosines of two batches of embeddings.

    Arguments:
        z1, z2: of one batch, positives at the same place.
        temperature: tau of the scores.
        rows: of scores at a time; memory is that of `rows x k` numbers, a few times.

    Raises:
        InputError: for batches of different length, fewer than two samples, or a temperature that
            is not above 0.
    """
    positive("temperature", temperature)
    whole_number("rows", rows, 1)
    if len(z1) != len(z2) or len(z1) < 2:
        raise InputError(
            f"z1, z2: InfoNCE needs the same 2 or more samples in both, got {len(z1)} and {len(z2)}"
        )
    loss, accuracy = _InBlocks.apply(
        F.normalize(z1, dim=-1), F.normalize(z2, dim=-1), temperature, rows
    )
    return loss, accuracy.item()


class _InBlocks(torch.autograd.Function):
    """Of vectors of length 1; see above."""

    @staticmethod
    def forward(
        ctx: Any, u1: Tensor, u2: Tensor, temperature: float, rows: int
    ) -> tuple[Tensor, Tensor]:
        k = len(u1)
        of_rows, of_columns = u1.new_empty(k), u1.new_full((k,), -torch.inf)
        highest, places = of_columns.clone(), torch.arange(k, device=u1.device)
        where, hits = torch.zeros_like(places), places.new_zeros(())
        for start in range(0, k, rows):
            block = slice(start, min(start + rows, k))
            scores = u1[block] @ u2.mT / temperature
            of_rows[block] = scores.logsumexp(1)
            of_columns = torch.logaddexp(of_columns, scores.logsumexp(0))
            hits += (scores.argmax(1) == places[block]).sum()
            value, place = scores.max(0)
            where = where.where(highest >= value, place + start)
            highest = highest.maximum(value)
        hits += (where == places).sum()
        own = (u1 * u2).sum(1) / temperature
        ctx.save_for_backward(u1, u2, of_rows, of_columns)
        ctx.numbers = temperature, rows
        accuracy = hits / (2 * k)
        ctx.mark_non_differentiable(accuracy)
        return ((of_rows + of_columns) / 2 - own).mean(), accuracy

    @staticmethod
    def backward(ctx: Any, of_loss: Tensor, _: Tensor) -> tuple[Tensor, Tensor, None, None]:
        u1, u2, of_rows, of_columns = ctx.saved_tensors
        temperature, rows = ctx.numbers
        k = len(u1)
        of_u1, of_u2 = torch.empty_like(u1), torch.zeros_like(u2)
        for start in range(0, k, rows):
            block = slice(start, min(start + rows, k))
            scores = u1[block] @ u2.mT / temperature
            gradient = (scores - of_rows[block, None]).exp_() + scores.sub_(of_columns).exp_()
            gradient.diagonal(start).sub_(2)
            of_u1[block] = gradient @ u2
            of_u2.addmm_(gradient.mT, u1[block])
        scale = of_loss / (2 * k * temperature)
        return of_u1 * scale, of_u2 * scale, None, None
