r"""Momentum Contrast (MoCo: He et al., arXiv:1911.05722; v2: arXiv:2003.04297).

    L_q = -log exp(q . k+ / tau) / sum_i exp(q . k_i / tau)             (equation 1)
    theta_k <- m theta_k + (1 - m) theta_q                              (equation 2)

The query q is a view of the trained encoder, the keys k are views of a slow encoder: the positive
of this batch, the negatives of a queue of earlier batches.

Shuffled batch normalisation (section 3.3). If a query and its key are normalised by the same batch,
its statistics give the positive away. The paper has 8 GPUs, each with statistics of its own, and
shuffles the keys among them. In one process, `groups` parts of a batch are embedded one by one,
keys in other groups than queries, as in the authors' CIFAR demo.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy

import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor

from infomin.core import rng
from infomin.core.errors import InputError, true_or_false, whole_number
from infomin.methods.base import METHODS, Batch, Embeddings, Views, follow
from infomin.methods.contrastive import ContrastiveMethod
from infomin.methods.memory import MomentumQueue, check_momentum

SMALLEST_GROUP = 2
"""Samples that batch normalisation needs."""


@METHODS.register("moco")
class MoCo(ContrastiveMethod):
    """Contrasts queries with keys of a momentum encoder.

    Arguments: see `ContrastiveMethod`; the graph `one_way` is the paper's. The options of the
    memory `queue` are its `size`, `momentum` m of the slow encoder, `dtype` of the rows, `groups`
    of batch normalisation, where 1 is the whole batch, and `mask_own`: whether old keys of the
    query's own image are left out of its negatives. MoCo keeps them (facebookresearch/moco,
    moco/builder.py).
    """

    memories = ("queue",)

    def build_negatives(
        self,
        size: int = 4096,
        momentum: float = 0.99,
        dtype: str = "float32",
        groups: int = 1,
        mask_own: bool = False,
    ) -> int:
        """Build the queue and the slow encoders."""
        encoders, context = self.encoders, self.context
        whole_number("memory.size", size, 1)
        check_momentum(momentum)
        whole_number("memory.groups", groups, 1)
        true_or_false("memory.mask_own", mask_own)
        if size < context.batch:
            raise InputError(f"memory.size: expected at least a batch, {context.batch}, got {size}")
        self.queue = MomentumQueue(self.others, size, encoders.width, dtype, context.seed)
        self.momentum_encoders = deepcopy(encoders).requires_grad_(False)
        self.momentum, self.groups, self.mask_own = momentum, groups, mask_own
        self.targets_in_chunks = groups == 1
        return size

    @property
    def trained_views(self) -> Sequence[int]:
        """Queries; keys have no gradient."""
        return self.anchors

    def check(self, share: slice) -> None:
        """Refuse a batch that does not divide into groups; see `Method.check`."""
        super().check(share)
        if self.groups > 1 and self.context.rows is not None:
            raise InputError(
                "memory.groups: expected 1 where images lack views, since batches then differ in "
                f"size, got {self.groups}; set memory.groups=1"
            )
        images, chunk = share.stop - share.start, self.context.chunk
        if images % self.groups or images // self.groups < SMALLEST_GROUP:
            raise InputError(
                f"memory.groups: expected a divisor of the {images} images of a batch that leaves "
                f"at least {SMALLEST_GROUP} in each, got {self.groups}"
            )
        size = images // self.groups
        if self.groups > 1 and chunk not in (None, size):
            raise InputError(
                f"pretrain.chunk: expected {size}, the images of each of memory.groups="
                f"{self.groups}, or null, got {chunk}"
            )

    def embed(self, views: Views, batch: Batch) -> Embeddings:
        """Return the queries q; a chunk of a batch is one group."""
        queries = {i: views[i] for i in self.anchors if i in views}
        n = len(next(iter(queries.values())))
        whole_share = n == len(batch.index[batch.share])
        return {
            i: in_groups(self.encoders[i], v, self.groups if whole_share else 1, torch.arange(n))
            for i, v in queries.items()
        }

    @torch.no_grad()
    def targets(self, views: Views, batch: Batch) -> Embeddings:
        """Return the keys k, each group of another order than the queries."""
        order = self.shuffled(batch)
        return {
            j: in_groups(self.momentum_encoders[j], views[j], self.groups, order)
            for j in self.others
            if j in views
        }

    def shuffled(self, batch: Batch) -> Int64[Tensor, " b"]:
        """Return the order in which keys go into groups; of every `groups` samples each gets one.

        So the groups of a batch are the same in one process and in several.
        """
        rows = len(batch.index) // self.groups
        generator = rng.generator(self.context.seed, "groups", batch.step)
        order = torch.rand(rows, self.groups, generator=generator).argsort(1)
        order += rearrange(self.groups * torch.arange(rows), "n -> n 1")
        return order.flatten()[batch.share] - (batch.share.start or 0)

    def scores(
        self, anchor: Tensor, i: int, j: int, z: Embeddings, targets: Embeddings, batch: Batch
    ) -> tuple[Tensor, Tensor]:
        """Compare q with its key and with the queue; see `mask_own`."""
        negatives = anchor @ self.queue.of(j).to(anchor.dtype).mT / self.temperature
        own = self.queue.own_rows(batch.index, j) if self.mask_own else None
        if own is not None:
            negatives = negatives.masked_fill(own, -torch.inf)
        return (anchor * targets[j]).sum(1) / self.temperature, negatives

    @torch.no_grad()
    def update(self, z: Embeddings, targets: Embeddings, batch: Batch) -> None:
        """Push the keys of the batch; let the slow encoders follow."""
        self.queue.push(batch.index, targets)
        follow(self.momentum_encoders, self.encoders, self.momentum)


def in_groups(
    embed: Callable[[Tensor], Tensor],
    view: Tensor,
    groups: int,
    order: Int64[Tensor, " n"],
) -> Float[Tensor, "b d"]:
    """Embed the groups of a batch one by one; return embeddings in the order of the batch.

    Arguments:
        embed: an encoder.
        view: of the batch.
        groups: number of groups, a divisor of the batch. Every `groups`-th sample of `order` is of
            one group, so that several processes have a share of each.
        order: in which samples go into the groups; one group has none.
    """
    if groups == 1:
        return embed(view)
    parts = rearrange(order, "(n g) -> g n", g=groups)
    z = torch.cat([embed(view[part]) for part in parts])
    return z[parts.flatten().argsort()]
