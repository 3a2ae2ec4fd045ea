r"""Critics: networks that score pairs, s(x_i, y_j). The bounds are functions of these scores.

    cosine      cos(x, y) / tau        CMC; x and y are embeddings; nothing to train
    bilinear    x^T W y                CPC
    separable   f(x)^T g(y)            any ratio that a product of rank `dim` can represent
    joint       h([x, y])              any ratio; K^2 network evaluations instead of 2 K

A critic first embeds each side and then scores embeddings, so many scores need few embeddings.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from infomin.core.errors import positive

ScoreFunction = Callable[[Tensor, Tensor], Tensor]
"""Scores all pairs of embeddings, `(a, d1)` and `(b, d2)` to `(a, b)`."""


class Critic(nn.Module):
    """A network that scores every pair of two batches, here by the product x^T y.

    Subclasses override `first` and `second` to embed, and `score`.
    """

    def first(self, x: Tensor) -> Tensor:
        """Embed the first side."""
        return x

    def second(self, y: Tensor) -> Tensor:
        """Embed the second side."""
        return y

    def score(self, z1: Float[Tensor, "a d1"], z2: Float[Tensor, "b d2"]) -> Float[Tensor, "a b"]:
        """Score all pairs of embeddings."""
        return z1 @ z2.mT

    def forward(self, x: Tensor, y: Tensor) -> Float[Tensor, "a b"]:
        """Embed both sides and score all pairs, `(a, ...)` and `(b, ...)` to `(a, b)`."""
        return self.score(self.first(x), self.second(y))


class CosineCritic(Critic):
    """s = cos(x, y) / tau.

    Arguments:
        temperature: tau, > 0.
    """

    def __init__(self, temperature: float = 0.1) -> None:
        super().__init__()
        positive("temperature", temperature)
        self.temperature = temperature

    def first(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Normalise x to length 1."""
        return F.normalize(x, dim=1)

    def second(self, y: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Normalise y to length 1."""
        return F.normalize(y, dim=1)

    def score(self, z1: Float[Tensor, "a d"], z2: Float[Tensor, "b d"]) -> Float[Tensor, "a b"]:
        """Score all pairs of unit embeddings."""
        return z1 @ z2.mT / self.temperature


class BilinearCritic(Critic):
    """s = x^T W y.

    Arguments:
        d1, d2: dimensions of the two sides.
    """

    def __init__(self, d1: int, d2: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(d1, d2) / (d1 * d2) ** 0.5)

    def first(self, x: Float[Tensor, "a d1"]) -> Float[Tensor, "a d2"]:
        """Return x^T W."""
        return x @ self.weight


class SeparableCritic(Critic):
    """s = f(x)^T g(y), a network per side.

    Arguments:
        d1, d2: dimensions of the two sides.
        hidden: width of the networks.
        layers: number of hidden layers.
        dim: rank of the product.
    """

    def __init__(self, d1: int, d2: int, hidden: int = 256, layers: int = 2, dim: int = 64) -> None:
        super().__init__()
        self.f, self.g = (_network(d, hidden, layers, dim) for d in (d1, d2))

    def first(self, x: Float[Tensor, "a d1"]) -> Float[Tensor, "a d"]:
        """Return f(x)."""
        return self.f(x)

    def second(self, y: Float[Tensor, "b d2"]) -> Float[Tensor, "b d"]:
        """Return g(y)."""
        return self.g(y)


class JointCritic(Critic):
    """s = h([x, y]), one network for both sides.

    Arguments:
        d1, d2: dimensions of the two sides.
        hidden: width of the network.
        layers: number of hidden layers.
    """

    def __init__(self, d1: int, d2: int, hidden: int = 256, layers: int = 2) -> None:
        super().__init__()
        self.h = _network(d1 + d2, hidden, layers, 1)

    def score(self, z1: Float[Tensor, "a d1"], z2: Float[Tensor, "b d2"]) -> Float[Tensor, "a b"]:
        """Evaluate the network on every pair."""
        a, b = len(z1), len(z2)
        pairs = torch.cat([repeat(z1, "a d -> a b d", b=b), repeat(z2, "b d -> a b d", a=a)], -1)
        return rearrange(self.h(pairs), "a b 1 -> a b")


def _network(inputs: int, hidden: int, layers: int, outputs: int) -> nn.Sequential:
    stages: list[nn.Module] = []
    for a, b in pairwise([inputs] + [hidden] * layers):
        stages += [nn.Linear(a, b), nn.GELU()]  # log-ratios are smooth
    return nn.Sequential(*stages, nn.Linear(hidden, outputs))
