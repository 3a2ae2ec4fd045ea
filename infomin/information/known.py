r"""Distributions of pairs with known mutual information, to test estimates.

Most also have a known best critic, the log density ratio log p(x, y) / p(x) p(y). Its I_NCE shows
the loss of the bound itself at a given K. The rest of an error comes from the learned critic.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from infomin.information.critics import ScoreFunction

Pairs = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class KnownDistribution:
    """A joint distribution of x and y.

    Attributes:
        name: for tables and random streams.
        nats: I(x; y).
        sample: returns n independent pairs, `(n, d1)` and `(n, d2)`.
        log_ratio: log p(x, y) / p(x) p(y) of all pairs; None if it is not known.
    """

    name: str
    nats: float
    sample: Callable[[int, torch.Generator], Pairs]
    log_ratio: ScoreFunction | None


def gaussians(dimensions: int, nats: float) -> KnownDistribution:
    r"""Return standard Gaussians with correlation rho in every dimension.

    I = -(d / 2) log(1 - rho^2); rho follows from the requested information.
    """
    noise_variance = math.exp(-2 * nats / dimensions)  # 1 - rho^2
    rho = math.sqrt(1 - noise_variance)

    def sample(n: int, generator: torch.Generator) -> Pairs:
        x, noise = torch.randn(2, n, dimensions, generator=generator)
        return x, rho * x + math.sqrt(noise_variance) * noise

    def log_ratio(x: Tensor, y: Tensor) -> Tensor:
        squares = (rho**2 * x.square()).sum(1)[:, None] + (rho**2 * y.square()).sum(1)
        return (rho * x @ y.mT - squares / 2) / noise_variance + nats

    return KnownDistribution(f"Gaussians, {dimensions} dimensions", nats, sample, log_ratio)


def bent(known: KnownDistribution) -> KnownDistribution:
    """Transform x and y by invertible nonlinear maps, which do not change I.

    x becomes x |x|^(1/2); y is rotated and becomes arsinh(y).
    """

    def sample(n: int, generator: torch.Generator) -> Pairs:
        x, y = known.sample(n, generator)
        return x * x.abs().sqrt(), (y @ _rotation(y.shape[1], y)).asinh()

    def log_ratio(x: Tensor, y: Tensor) -> Tensor:
        assert known.log_ratio is not None
        x, y = x.sign() * x.abs() ** (2 / 3), y.sinh() @ _rotation(y.shape[1], y).mT
        return known.log_ratio(x, y)

    return KnownDistribution(f"{known.name}, bent", known.nats, sample, log_ratio)


def heavy_tailed(known: KnownDistribution) -> KnownDistribution:
    """Give standard Gaussians the tails of Cauchy distributions, which does not change I.

    Every coordinate becomes tan(pi (Phi(x) - 1/2)): one of a thousand is beyond 300.
    """

    def sample(n: int, generator: torch.Generator) -> Pairs:
        x, y = (
            torch.tan(math.pi * (torch.special.ndtr(part.double()) - 0.5)).to(part.dtype)
            for part in known.sample(n, generator)
        )
        return x, y

    def log_ratio(x: Tensor, y: Tensor) -> Tensor:
        assert known.log_ratio is not None
        x, y = (
            torch.special.ndtri(part.double().atan() / math.pi + 0.5).to(part.dtype)
            for part in (x, y)
        )
        return known.log_ratio(x, y)

    return KnownDistribution(f"{known.name}, heavy-tailed", known.nats, sample, log_ratio)


def sharp_noise(dimensions: int, width: float) -> KnownDistribution:
    r"""Return x uniform on [0, 1] and y = x + noise, uniform within width / 2 of 0, for width < 1.

    The density of y given x is a box with sharp edges, which smooth critics learn slowly. That of y
    is 1, with ramps of `width` at both ends, so I = d (width / 2 - log width). The log ratio is
    -80 outside of the box, where it is infinite.
    """

    def sample(n: int, generator: torch.Generator) -> Pairs:
        x, noise = torch.rand(2, n, dimensions, generator=generator)
        return x, x + width * (noise - 0.5)

    def log_ratio(x: Tensor, y: Tensor) -> Tensor:
        inside = ((x[:, None] - y).abs() <= width / 2 * (1 + 1e-5)).all(2)
        ends = torch.minimum(y, 1 - y) + width / 2
        log_density = (ends / width).clamp(1e-12, 1).log().sum(1)
        return torch.where(inside, -dimensions * math.log(width) - log_density, -80.0)

    nats = dimensions * (width / 2 - math.log(width))
    return KnownDistribution(f"sharp noise, {dimensions} dimensions", nats, sample, log_ratio)


def mixture(dimensions: int, rho: float = 0.95) -> KnownDistribution:
    """Return Gaussians with correlation rho or -rho, with a random sign per pair and dimension.

    x and y are uncorrelated but dependent, so a bilinear critic finds nothing. I is an integral
    over the plane, computed to 1e-6, times the number of dimensions.
    """

    def sample(n: int, generator: torch.Generator) -> Pairs:
        x, noise = torch.randn(2, n, dimensions, generator=generator)
        sign = torch.randint(2, (n, dimensions), generator=generator) * 2 - 1
        return x, sign * rho * x + math.sqrt(1 - rho**2) * noise

    def log_ratio(x: Tensor, y: Tensor) -> Tensor:
        ratios = (_log_ratio(x[:, i, None], y[None, :, i], rho) for i in range(dimensions))
        return torch.stack([*ratios]).sum(0)

    grid = torch.linspace(-9, 9, 3001, dtype=torch.float64)
    x, y = grid[:, None], grid[None, :]
    on_grid = _log_ratio(x, y, rho)
    density = (on_grid - (x**2 + y**2) / 2).exp() / (2 * math.pi)
    nats = ((density * on_grid).sum() * (grid[1] - grid[0]) ** 2).item()
    return KnownDistribution(
        f"mixture, {dimensions} dimensions", dimensions * nats, sample, log_ratio
    )


def channel(symbols: int, error: float) -> KnownDistribution:
    r"""Return the input and output symbols of a symmetric noisy channel, as one-hot vectors.

    The output equals the input with probability 1 - e. Otherwise it is any other symbol:
    I = log M + (1 - e) log(1 - e) + e log(e / (M - 1)).
    """
    equal, different = math.log(symbols * (1 - error)), math.log(symbols * error / (symbols - 1))

    def sample(n: int, generator: torch.Generator) -> Pairs:
        inputs = torch.randint(symbols, (n,), generator=generator)
        shift = torch.randint(1, symbols, (n,), generator=generator)
        wrong = torch.rand(n, generator=generator) < error
        outputs = (inputs + shift * wrong) % symbols
        eye = torch.eye(symbols)
        return eye[inputs], eye[outputs]

    def log_ratio(x: Tensor, y: Tensor) -> Tensor:
        return different + (equal - different) * (x @ y.mT)

    nats = (1 - error) * equal + error * different
    return KnownDistribution(f"channel, {symbols} symbols", nats, sample, log_ratio)


def _log_ratio(x: Tensor, y: Tensor, rho: float) -> Float[Tensor, "a b"]:
    """Return log p(x, y) / p(x) p(y) of one dimension of the mixture."""
    noise_variance = 1 - rho**2
    squares = rho**2 * (x**2 + y**2) / (2 * noise_variance)
    product = rho * x * y / noise_variance
    log_mean = torch.logaddexp(product, -product) - math.log(2)
    return log_mean - squares - math.log(noise_variance) / 2


def _rotation(dimensions: int, like: Tensor) -> Float[Tensor, "d d"]:
    """Return a fixed dense orthogonal matrix."""
    i = torch.arange(dimensions, dtype=torch.float64)
    waves = torch.cos(math.pi * (2 * i + 1) * i[:, None] / (2 * dimensions))  # DCT-II
    waves[0] /= math.sqrt(2)
    return (waves * math.sqrt(2 / dimensions)).to(like)
