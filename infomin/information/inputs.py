r"""Monotone maps of the coordinates of inputs, which change no information and help critics.

A network learns little from a coordinate of which a few values are a thousand times the others.
I(x; y) = I(f(x); g(y)) for all invertible f and g, so critics may see inputs through them:

    standard   (x - median) / deviation, which is the interquartile range / 1.349
    rank       the quantile of x as that of a standard normal distribution

Both are made of training pairs, one map for each coordinate, or for each channel of images. Beyond
the training values `rank` grows with the logarithm, so that it stays invertible.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from infomin.core.errors import InputError, one_of
from infomin.information.critics import Critic

INPUTS = ("standard", "rank")
_KNOTS = 1024
_IQR = 1.349  # interquartile range of a standard normal distribution


class InputTransform(nn.Module):
    """A monotone map for each coordinate of inputs.

    Arguments:
        x: training inputs, `(n, d)`, or images `n d h w`.
        kind: one of `INPUTS`.

    Raises:
        InputError: for an unknown kind, or inputs that are not finite.
    """

    knots: Float[Tensor, "d k"]
    shares: Float[Tensor, " k"]

    def __init__(self, x: Float[Tensor, "n d ..."], kind: str = "rank") -> None:
        super().__init__()
        one_of("inputs", kind, INPUTS)
        values = x.detach().movedim(1, 0).flatten(1).double().sort(1).values
        if not values.isfinite().all():
            raise InputError("inputs: expected finite numbers, got NaN or infinity among them")
        self.kind = kind
        shares = (torch.arange(_KNOTS, dtype=torch.float64) + 0.5) / _KNOTS
        if kind == "standard":
            shares = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
        place = (shares * values.shape[1]).long().to(x.device)
        self.register_buffer("knots", values[:, place].contiguous())
        self.register_buffer("shares", shares.to(x.device))

    def forward(self, x: Float[Tensor, "n d ..."]) -> Float[Tensor, "n d ..."]:
        """Map inputs, in their own dtype."""
        values = x.movedim(1, 0).flatten(1).double()
        mapped = self._standard(values) if self.kind == "standard" else self._rank(values)
        return mapped.view(x.movedim(1, 0).shape).movedim(0, 1).to(x.dtype)

    def _standard(self, values: Float[Tensor, "d m"]) -> Float[Tensor, "d m"]:
        low, middle, high = self.knots.unsqueeze(-1).unbind(1)
        return (values - middle) / _positive((high - low) / _IQR)

    def _rank(self, values: Float[Tensor, "d m"]) -> Float[Tensor, "d m"]:
        knots, shares, last = self.knots, self.shares, self.knots.shape[1] - 1
        values = values.contiguous()
        left = torch.searchsorted(knots, values)
        right = torch.searchsorted(knots, values, right=True)
        below, above = (right - 1).clamp(0, last), left.clamp(0, last)
        x0, x1 = knots.gather(1, below), knots.gather(1, above)
        # a value that is a knot, maybe several times, has the mean share of its knots
        way = torch.where(left < right, 0.5, (values - x0) / _positive(x1 - x0))
        mapped = torch.special.ndtri(shares[below] + (shares[above] - shares[below]) * way)
        unit = _positive(knots[:, -1:] - knots[:, :1])
        mapped = mapped - ((knots[:, :1] - values).clamp(min=0) / unit).log1p()
        return mapped + ((values - knots[:, -1:]).clamp(min=0) / unit).log1p()


class RankedNorm(nn.BatchNorm2d):
    """The standardisation in front of a backbone, of ranks instead of values.

    Arguments:
        images: of training, `n c h w`.
    """

    def __init__(self, images: Float[Tensor, "n c h w"]) -> None:
        super().__init__(images.shape[1], eps=1e-8, affine=False)
        self.transform = InputTransform(images, "rank")

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Return ranks, standardised."""
        return super().forward(self.transform(x))


class TransformedCritic(Critic):
    """A critic that sees both sides through monotone maps.

    Arguments:
        critic: of the mapped sides; its parameters are trained as usual.
        x, y: training pairs, which the maps are made of.
        kind: one of `INPUTS`.
    """

    def __init__(self, critic: Critic, x: Tensor, y: Tensor, kind: str = "rank") -> None:
        super().__init__()
        self.critic = critic
        self.transform_x, self.transform_y = InputTransform(x, kind), InputTransform(y, kind)

    def first(self, x: Tensor) -> Tensor:
        """Map and embed the first side."""
        return self.critic.first(self.transform_x(x))

    def second(self, y: Tensor) -> Tensor:
        """Map and embed the second side."""
        return self.critic.second(self.transform_y(y))

    def score(self, z1: Float[Tensor, "a d1"], z2: Float[Tensor, "b d2"]) -> Float[Tensor, "a b"]:
        """Score all pairs of embeddings."""
        return self.critic.score(z1, z2)


def _positive(x: Tensor) -> Tensor:
    """Return x, or 1 where it is 0."""
    return x.where(x > 0, 1.0)
