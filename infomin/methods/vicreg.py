r"""Variance-Invariance-Covariance Regularization (VICReg: Bardes et al., arXiv:2105.04906).

    L = lambda s(Z, Z') + mu [v(Z) + v(Z')] + nu [c(Z) + c(Z')]                    (equation 6)

    s   mean squared distance of the two embeddings of a sample                    (equation 5)
    v   mean over dimensions of max(0, gamma - std)                                (equation 1)
    c   squared covariances of two different dimensions, summed, over d            (equation 4)

with the constants of the authors' code (facebookresearch/vicreg, main_vicreg.py), which averages s
over dimensions too and halves v. There are no negatives, so there is no bound on information. Of
more than two views, every pair is summed.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from infomin.core.errors import at_least
from infomin.losses import view_pairs
from infomin.methods.base import METHODS, Batch, Context, Embeddings, LossOutput, Method, Views
from infomin.models import Encoders


@METHODS.register("vicreg")
class VICReg(Method):
    """Draws the views of a sample together and keeps the dimensions of embeddings apart.

    Arguments:
        encoders: with an expander as the head, `head=expander`.
        context: see `Method`.
        invariance, variance, covariance: lambda, mu and nu (section 4.2).

    Raises:
        InputError: for a weight below 0.
    """

    def __init__(
        self,
        encoders: Encoders,
        context: Context,
        invariance: float = 25.0,
        variance: float = 25.0,
        covariance: float = 1.0,
    ) -> None:
        super().__init__(encoders, context)
        self.pairs = view_pairs(len(encoders))
        weights = {"invariance": invariance, "variance": variance, "covariance": covariance}
        for name, weight in weights.items():
            at_least(f"vicreg.{name}", weight, 0)
        self.coefficients = dict(zip("svc", weights.values(), strict=True))

    def embed(self, views: Views, batch: Batch) -> Embeddings:
        """Return the expanded embeddings Z_i, of any length."""
        return {i: self.encoders[i].project(v) for i, v in views.items()}

    def loss(self, z: Embeddings, targets: Embeddings, batch: Batch) -> LossOutput:
        """Return the sum over pairs of views, and the three terms."""
        pairs = [(z[i], z[j]) for i, j in self.pairs if i in z and j in z]
        terms = {
            "s": torch.stack([F.mse_loss(a, b) for a, b in pairs]).sum(),
            "v": torch.stack([(variance(a) + variance(b)) / 2 for a, b in pairs]).sum(),
            "c": torch.stack([covariance(a) + covariance(b) for a, b in pairs]).sum(),
        }
        loss = torch.stack([self.coefficients[name] * term for name, term in terms.items()]).sum()
        return LossOutput(loss, {f"loss_{name}": term.item() for name, term in terms.items()})


def variance(z: Float[Tensor, "n d"], gamma: float = 1.0, eps: float = 1e-4) -> Tensor:
    """Return the mean of max(0, gamma - sqrt(var + eps)) over dimensions (equations 1 and 2)."""
    return F.relu(gamma - (z.var(0) + eps).sqrt()).mean()


def covariance(z: Float[Tensor, "n d"]) -> Tensor:
    """Return the squares of all covariances of two dimensions, over d (equations 3 and 4)."""
    n, d = z.shape
    centred = z - z.mean(0)
    matrix = centred.mT @ centred / (n - 1)
    return (matrix.square().sum() - matrix.diagonal().square().sum()) / d
