r"""SimCLR (Chen et al., arXiv:2002.05709).

    l_ij = -log exp(sim(z_i, z_j) / tau) / sum_{k != i} exp(sim(z_i, z_k) / tau)

(NT-Xent, equation 1): the negatives of an anchor are the other samples of the batch, in both views.
"""

import torch
from torch import Tensor

from infomin.losses import cosine_scores, split_positives
from infomin.methods.base import METHODS, Batch, Embeddings
from infomin.methods.contrastive import ContrastiveMethod


@METHODS.register("simclr")
class SimCLR(ContrastiveMethod):
    """Contrasts two views of a sample, against both views of the others: 2 (N - 1) negatives.

    Arguments: see `ContrastiveMethod`; no memory, nor the graph `own`.
    """

    def build_negatives(self) -> int:
        """Return 2 (N - 1)."""
        return 2 * (self.context.batch - 1)

    def scores(
        self, anchor: Tensor, i: int, j: int, z: Embeddings, targets: Embeddings, batch: Batch
    ) -> tuple[Tensor, Tensor]:
        """Return sim(z_i, z_j) / tau of the positive, and those of both views of other samples."""
        positive, across = split_positives(cosine_scores(anchor, z[j], self.temperature))
        _, within = split_positives(cosine_scores(anchor, anchor, self.temperature))
        return positive, torch.cat([across, within], 1)
