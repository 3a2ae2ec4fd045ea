r"""Contrastive Multiview Coding (Tian et al., arXiv:1906.05849).

    L(V_1, V_2) = -E log h(v1_i, v2_i) / sum_j h(v1_i, v2_j),   h = exp(cos(z1, z2) / tau)

(equations 2 to 4), both directions, over pairs of views. The negatives v2_j are the other samples
of the batch, or rows of a memory bank (section 3.4).
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from infomin.losses import cosine_scores, infonce, infonce_in_blocks, split_positives, top1
from infomin.methods.base import METHODS, Batch, Embeddings
from infomin.methods.contrastive import ContrastiveMethod, PairOutput, SoftmaxLoss
from infomin.methods.memory import BankNegatives


@METHODS.register("cmc")
class CMC(ContrastiveMethod):
    """Contrasts pairs of views, with negatives of the batch or of a memory bank.

    Arguments: see `ContrastiveMethod`; the options of the memory `bank` are those of
    `BankNegatives`.
    """

    memories: tuple[str, ...] = ("none", "bank")
    bank: BankNegatives | None

    def build_negatives(self, **options: Any) -> int:
        """Build the bank; without one the batch has the negatives."""
        self.bank = None
        if self.memory == "none":
            return self.context.batch - 1
        self.bank = BankNegatives(self.others, self.encoders.width, self.context, **options)
        return self.bank.negatives

    @property
    def trained_views(self) -> Sequence[int]:
        """Anchors; other views too, unless rows of the bank stand for them."""
        from_bank = self.bank is not None and self.bank.positive == "bank"
        return self.anchors if from_bank else self.views

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
