r"""Bootstrap Your Own Latent (BYOL: Grill et al., arXiv:2006.07733).

    L = |q(z_1) - z'_2|^2 + |q(z_2) - z'_1|^2 = 2 - 2 cos(q(z_1), z'_2) + ...      (equation 2)
    xi <- tau xi + (1 - tau) theta                                                 (equation 1)

z = g(f(v)) is the projection of the trained encoder, z' that of a slow one with weights xi, and q a
predictor. There are no negatives, so there is no bound on information. Of more than two views,
every pair is summed; encoders of different views have predictors of their own.
"""

import math
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from infomin.core.errors import whole_number
from infomin.core.rng import seeded
from infomin.losses import view_pairs
from infomin.methods import base
from infomin.methods.base import METHODS, Batch, Context, Embeddings, LossOutput, Method, Views
from infomin.methods.memory import check_momentum
from infomin.models import Encoders


@METHODS.register("byol")
class BYOL(Method):
    """Predicts the slow embedding of a view from another view.

    Arguments:
        encoders: with a head that has a hidden layer and batch normalisation, `head=mlp_bn`.
        context: see `Method`.
        momentum: tau at the start; it rises to 1 as a cosine (section 3.2).
        hidden: width of the predictor's hidden layer.

    Raises:
        InputError: for numbers out of range.
    """

    compares_samples = False

    def __init__(
        self, encoders: Encoders, context: Context, momentum: float = 0.99, hidden: int = 1024
    ) -> None:
        super().__init__(encoders, context)
        check_momentum(momentum, "byol.momentum")
        whole_number("byol.hidden", hidden, 1)
        self.momentum, self.pairs = momentum, view_pairs(len(encoders))
        self.slow_encoders = deepcopy(encoders).requires_grad_(False)
        with seeded(context.seed, "byol predictor"):
            self.predictors = nn.ModuleList(
                nn.Sequential(
                    nn.Linear(encoder.dim, hidden),
                    nn.BatchNorm1d(hidden),
                    nn.ReLU(),
                    nn.Linear(hidden, encoder.dim),
                )
                for encoder in encoders.distinct
            )

    def embed(self, views: Views, batch: Batch) -> Embeddings:
        """Return the predictions q(z_i)."""
        last = len(self.predictors) - 1
        return {
            i: self.predictors[min(i, last)](self.encoders[i].project(v)).float()
            for i, v in views.items()
        }

    @torch.no_grad()
    def targets(self, views: Views, batch: Batch) -> Embeddings:
        """Return the slow projections z'_i."""
        return {i: self.slow_encoders[i].project(v) for i, v in views.items()}

    def loss(self, z: Embeddings, targets: Embeddings, batch: Batch) -> LossOutput:
        """Return the sum over pairs of both directions; 0 to 8 a pair."""
        losses = [
            regression(z[i], targets[j]) + regression(z[j], targets[i])
            for i, j in self.pairs
            if i in z and j in z
        ]
        return LossOutput(torch.stack(losses).sum(), {})

    @torch.no_grad()
    def update(self, z: Embeddings, targets: Embeddings, batch: Batch) -> None:
        """Let the slow encoders follow, tau = 1 - (1 - tau_0) (cos(pi k / K) + 1) / 2."""
        progress = batch.step / max(self.context.steps, 1)
        tau = 1 - (1 - self.momentum) * (math.cos(math.pi * progress) + 1) / 2
        base.follow(self.slow_encoders, self.encoders, tau)


def regression(prediction: Tensor, target: Tensor) -> Tensor:
    """Return the squared distance of two directions, 2 - 2 cos, averaged over samples."""
    return 2 - 2 * F.cosine_similarity(prediction, target, dim=1).mean()
