r"""Contrastive Multiview Coding (Tian et al., arXiv:1906.05849).

    L(V_1, V_2) = -E log h(v1_i, v2_i) / sum_j h(v1_i, v2_j),   h = exp(cos(z1, z2) / tau)

(equations 2 to 4), both directions, over pairs of views. The negatives v2_j are the other samples
of the batch, or rows of a memory bank (section 3.4).
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from infomin.core.errors import option_errors
from infomin.losses import cosine_scores, infonce, infonce_in_blocks, split_positives, top1
from infomin.methods.bank_negatives import BankNegatives, needs_bank
from infomin.methods.base import METHODS, Batch, Context, Embeddings
from infomin.methods.contrastive import (
    SOFTMAX,
    ContrastiveMethod,
    PairOutput,
    SoftmaxLoss,
    memory_options,
)
from infomin.models import Encoders


@METHODS.register("cmc")
class CMC(ContrastiveMethod):
    """Contrasts pairs of views, with negatives of the batch or of a memory bank.

    Arguments:
        encoders, context, loss, graph: see `ContrastiveMethod`.
        memory: `kind`, `none` or `bank`, and the options of `BankNegatives`. Without a bank the
            batch has the negatives.
        pair_weights: of the pairs of views; None is 1 each.

    Raises:
        InputError: as `ContrastiveMethod` and `BankNegatives`; for the graph `own` without a bank.
    """

    def __init__(
        self,
        encoders: Encoders,
        context: Context,
        loss: Mapping[str, Any] = SOFTMAX,
        memory: Mapping[str, Any] | None = None,
        graph: str = "full",
        pair_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__(encoders, context, context.batch - 1, loss, graph, pair_weights)
        self.bank: BankNegatives | None = None
        options = memory_options(memory, "cmc", ("none", "bank"))
        if memory is None or memory["kind"] == "none":
            needs_bank(graph, "none")
            return
        with option_errors("memory=bank"):
            self.bank = BankNegatives(self.others, encoders.width, context, **options)
        self.cap = math.log(self.bank.negatives + 1)

    @property
    def trained_views(self) -> tuple[int, ...]:
        """Anchors; other views too, unless rows of the bank stand for them."""
        from_bank = self.bank is not None and self.bank.positive == "bank"
        return tuple(self.anchors) if from_bank else self.views

    def scores(
        self, anchor: Tensor, i: int, j: int, z: Embeddings, targets: Embeddings, batch: Batch
    ) -> tuple[Tensor, Tensor]:
        """Compare anchors with view j of the other samples, or with rows of the bank of view j."""
        if self.bank is None:
            return split_positives(cosine_scores(anchor, z[j], self.temperature))
        positive, negatives = self.bank.compare(anchor, j, z, batch)
        return positive / self.temperature, negatives / self.temperature

    def contrast(self, number: int, z: Embeddings, targets: Embeddings, batch: Batch) -> PairOutput:
        """Return the loss of a pair; the softmax of a batch has both directions in one matrix."""
        one_matrix = isinstance(self.pair_loss, SoftmaxLoss) and self.graph != "one_way"
        if self.bank is not None or not one_matrix:
            return super().contrast(number, z, targets, batch)
        (i, j), rows = self.pairs[number], self.context.chunk
        if rows is not None and rows < len(z[i]):
            loss, accuracy = infonce_in_blocks(z[i], z[j], self.temperature, rows)
        else:
            scores = cosine_scores(z[i], z[j], self.temperature)
            loss, accuracy = infonce(scores), top1(scores)
        return PairOutput(loss, [loss], math.log(len(z[i])), accuracy)

    @torch.no_grad()
    def update(self, z: Embeddings, targets: Embeddings, batch: Batch) -> None:
        """Move the rows of the batch towards its embeddings."""
        if self.bank is not None:
            self.bank.update(z, batch)
