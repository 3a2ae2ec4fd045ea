"""Negatives are the other samples of the batch."""

import torch
from torch import Tensor

from infomin.losses import apart, cosine_scores, infonce, matched, total
from infomin.training.objectives.base import Embeddings, Objective, Told
from infomin.training.objectives.contrasts import Softmax


class InBatch(Objective):
    """K-pair contrast: K - 1 negatives of a batch of K (CMC; SimCLR)."""

    def compare(
        self, z: Embeddings, keys: Embeddings, index: Tensor, anchor: int, other: int
    ) -> tuple[Tensor, Tensor]:
        """Compare with the other samples of the batch."""
        return apart(cosine_scores(z[anchor], z[other], self.contrast.temperature))

    def forward(self, z: Embeddings, keys: Embeddings, index: Tensor) -> Told:
        """Return the loss; that of the softmax has both directions in one matrix of scores."""
        if not isinstance(self.contrast, Softmax):
            return super().forward(z, keys, index)
        scores = [cosine_scores(z[i], z[j], self.contrast.temperature) for i, j in self.pairs]
        losses = [infonce(s) for s in scores]
        mean = torch.stack(losses).detach().mean().item()
        return Told(total(losses, self.weights), self.cap - mean, matched(scores[0]))
