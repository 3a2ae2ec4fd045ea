r"""SimCLR (Chen et al., arXiv:2002.05709).

    l_ij = -log exp(sim(z_i, z_j) / tau) / sum_{k != i} exp(sim(z_i, z_k) / tau)

(NT-Xent, equation 1): the negatives of an anchor are the other samples of the batch, in both views.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from infomin.losses import cosine_scores, split_positives
from infomin.methods.bank_negatives import needs_bank
from infomin.methods.base import METHODS, Batch, Context, Embeddings
from infomin.methods.contrastive import SOFTMAX, ContrastiveMethod, memory_options
from infomin.models import Encoders


@METHODS.register("simclr")
class SimCLR(ContrastiveMethod):
    """Contrasts two views of a sample, against both views of the others: 2 (N - 1) negatives.

    Arguments:
        encoders, context, loss, graph: see `ContrastiveMethod`.
        memory: none; refused otherwise.
        pair_weights: of the pairs of views; None is 1 each.

    Raises:
        InputError: as `ContrastiveMethod`; for a memory, or the graph `own`.
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
        memory_options(memory, "simclr", ("none",))
        needs_bank(graph, "none")
        negatives = 2 * (context.batch - 1)
        super().__init__(encoders, context, negatives, loss, graph, pair_weights)

    def scores(
        self, anchor: Tensor, i: int, j: int, z: Embeddings, targets: Embeddings, batch: Batch
    ) -> tuple[Tensor, Tensor]:
        """Return sim(z_i, z_j) / tau of the positive, and those of both views of other samples."""
        positive, across = split_positives(cosine_scores(anchor, z[j], self.temperature))
        _, within = split_positives(cosine_scores(anchor, anchor, self.temperature))
        return positive, torch.cat([across, within], 1)
