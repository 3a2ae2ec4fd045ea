r"""Batch normalisation over groups of a batch, in one process, as on several GPUs.

Why MoCo shuffles (arXiv:1911.05722, section 3.3): where a query and its key are normalised by the
same batch, its statistics are a signature. The positive has it, the rows of the queue have those of
earlier batches, and the contrast is solved without looking at the images. One process normalising
whole batches leaks so, too: view 2 of a batch has nearly the statistics of its view 1. On 8 GPUs
each normalises an eighth of a batch, and keys change GPUs before they are embedded.

In one process that is: queries embedded in groups, and keys in groups of another order, as in the
authors' CIFAR demo (8 groups). A group goes through the encoder by itself. That holds for any layer
that mixes samples, and costs nothing but smaller matrix products.
"""

from collections.abc import Callable, Sequence

import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor

from infomin.core.shapes import Seen

Embed = Callable[[tuple[Seen, ...]], Sequence[Tensor]]


def in_groups(
    embed: Embed, views: tuple[Seen, ...], groups: int, order: Int64[Tensor, " b"]
) -> Sequence[Float[Tensor, "_ d"]]:
    """Embed groups of a batch one by one; return the embeddings in the order of the batch.

    Arguments:
        embed: what embeds views.
        views: of the batch; one without images stays so.
        groups: how many, which the batch divides by. Every so many samples are of one group, so
            that several processes have a share of each.
        order: in which samples are dealt out to the groups.
    """
    if groups == 1:
        return embed(views)
    parts = rearrange(order, "(n g) -> g n", g=groups)
    made = [embed(tuple(v[part] if len(v) else v for v in views)) for part in parts]
    back = parts.flatten().argsort()
    joined = [torch.cat(of_view) for of_view in zip(*made, strict=True)]
    return [z[back] if len(z) else z for z in joined]
