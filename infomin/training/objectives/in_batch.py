"""Negatives are the other samples of the batch."""

from collections.abc import Sequence

import torch
from torch import Tensor

from infomin.losses import apart, cosine_scores, infonce, infonce_in_blocks, matched, total
from infomin.training.objectives.base import Embeddings, Objective, Told
from infomin.training.objectives.contrasts import Contrast, Softmax


class InBatch(Objective):
    """K-pair contrast: K - 1 negatives of a batch of K (CMC; SimCLR).

    Arguments:
        views, negatives, contrast, graph, weights: see `Objective`.
        rows: of scores that are there at a time, by the loss of the softmax; None is all. Then
            memory does not grow with the square of the batch.
    """

    def __init__(
        self,
        views: int,
        negatives: int,
        contrast: Contrast,
        graph: str = "full",
        weights: Sequence[float] | None = None,
        rows: int | None = None,
    ) -> None:
        super().__init__(views, negatives, contrast, graph, weights)
        self.rows = rows

    def compare(
        self, z: Embeddings, keys: Embeddings, index: Tensor, anchor: int, other: int
    ) -> tuple[Tensor, Tensor]:
        """Compare with the other samples of the batch."""
        return apart(cosine_scores(z[anchor], z[other], self.contrast.temperature))

    def forward(self, z: Embeddings, keys: Embeddings, index: Tensor) -> Told:
        """Return the loss; that of the softmax has both directions in one matrix of scores."""
        if not isinstance(self.contrast, Softmax):
            return super().forward(z, keys, index)
        told = [self._infonce(z[i], z[j]) for i, j in self.pairs]
        losses = [loss for loss, _ in told]
        mean = torch.stack(losses).detach().mean().item()
        return Told(total(losses, self.weights), self.cap - mean, told[0][1])

    def _infonce(self, z1: Tensor, z2: Tensor) -> tuple[Tensor, float]:
        """Return the loss of a pair of views, and the share of images that find their own."""
        t = self.contrast.temperature
        if self.rows is not None and self.rows < len(z1):
            return infonce_in_blocks(z1, z2, t, self.rows)
        scores = cosine_scores(z1, z2, t)
        return infonce(scores), matched(scores)
