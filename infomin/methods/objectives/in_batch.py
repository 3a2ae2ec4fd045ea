"""Negatives are the other samples of the batch."""

from collections.abc import Sequence

import torch
from torch import Tensor

from infomin.core.errors import true_or_false
from infomin.core.presence import Places, Present, chosen
from infomin.losses import (
    BOTH_WAYS,
    apart,
    cosine_scores,
    infonce,
    infonce_in_blocks,
    matched,
    total,
)
from infomin.methods.objectives.base import Embedded, Embeddings, Objective, Told, needs_rows
from infomin.methods.objectives.contrasts import Contrast, Softmax


class InBatch(Objective):
    """K-pair contrast: K - 1 negatives of a batch of K (CMC), or 2 (K - 1) (SimCLR).

    Arguments:
        views, negatives, contrast, graph, weights, present: see `Objective`.
        rows: of scores that are there at a time, by the loss of the softmax; None is all. Then
            memory does not grow with the square of the batch.
        within: whether the anchor's own view of the other samples is negative too, as in SimCLR's
            NT-Xent (arXiv:2002.05709, equation 1); then all scores are there at once.

    Raises:
        InputError: as `Objective`; for a graph of rows, which a batch has none of.
    """

    def __init__(
        self,
        views: int,
        negatives: int,
        contrast: Contrast,
        graph: str = "full",
        weights: Sequence[float] | None = None,
        rows: int | None = None,
        present: Present | None = None,
        within: bool = False,
    ) -> None:
        true_or_false("memory.within", within)
        needs_rows(graph, "none")
        negatives = 2 * negatives if within else negatives
        super().__init__(views, negatives, contrast, graph, weights, present)
        self.rows, self.within = rows, within

    def compare(
        self, batch: Embedded, anchor: int, other: int, who: Places | None = None
    ) -> tuple[Tensor, Tensor]:
        """Compare with the other samples of the batch that have both views."""
        mine, theirs = chosen(batch.z[anchor], who), chosen(batch.z[other], who)
        t = self.contrast.temperature
        positive, negatives = apart(cosine_scores(mine, theirs, t))
        if self.within:
            negatives = torch.cat([negatives, apart(cosine_scores(mine, mine, t))[1]], 1)
        return positive, negatives

    def forward(self, z: Embeddings, keys: Embeddings, index: Tensor) -> Told:
        """Return the loss; that of the softmax has both directions in one matrix of scores."""
        met = [*self.met(index)]
        whole = isinstance(self.contrast, Softmax) and not self.within and self.graph in BOTH_WAYS
        if not (whole and met):
            return super().forward(z, keys, index)
        losses, weights, below, accuracies = [], [], [], []
        for number, (i, j), who in met:
            mine, theirs = chosen(z[i], who), chosen(z[j], who)
            loss, accuracy = self._infonce(mine, theirs)
            losses.append(loss)
            weights.append(self.weights[number])
            below.append(self.below_cap(loss, len(mine) - 1, who))
            accuracies.append(accuracy)
        i_nce = self.cap - torch.stack(below).mean().item()
        return Told(total(losses, weights), i_nce, accuracies[0])

    def _infonce(self, z1: Tensor, z2: Tensor) -> tuple[Tensor, float]:
        """Return the loss of a pair of views, and the share of images that find their own."""
        t = self.contrast.temperature
        if self.rows is not None and self.rows < len(z1):
            return infonce_in_blocks(z1, z2, t, self.rows)
        scores = cosine_scores(z1, z2, t)
        return infonce(scores), matched(scores)
