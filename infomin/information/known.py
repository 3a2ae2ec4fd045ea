r"""Pairs whose mutual information is known exactly, to hold an estimate against.

Most know their best critic, too: the log density ratio log p(x, y) / p(x) p(y). With it I_NCE shows
what the bound itself loses at a given K, and what remains is due to the critic that was learned.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from infomin.core.errors import InputError, at_least, positive
from infomin.information.critics import Compare

Pairs = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Known:
    """A joint distribution.

    Attributes:
        name: for tables.
        nats: I(x; y).
        draw: n independent pairs, `(n, d1)` and `(n, d2)`.
        ratio: log p(x, y) / p(x) p(y) of every pair, `(n, d1)` and `(m, d2)` to `(n, m)`; None
            where it is not worth its writing.
    """

    name: str
    nats: float
    draw: Callable[[int, torch.Generator], Pairs]
    ratio: Compare | None


def gaussians(dimensions: int, nats: float) -> Known:
    r"""Return standard Gaussians, correlated dimension by dimension.

    I = -(d / 2) log(1 - rho^2), which gives rho for the information asked for.

    Raises:
        InputError: for no dimension, or information that is not > 0.
    """
    at_least("dimensions", dimensions, 1)
    positive("nats", nats)
    left = math.exp(-2 * nats / dimensions)  # 1 - rho^2
    rho = math.sqrt(1 - left)

    def draw(n: int, generator: torch.Generator) -> Pairs:
        x, noise = torch.randn(2, n, dimensions, generator=generator)
        return x, rho * x + math.sqrt(left) * noise

    def ratio(x: Tensor, y: Tensor) -> Tensor:
        squares = (rho**2 * x.square()).sum(1)[:, None] + (rho**2 * y.square()).sum(1)
        return (rho * x @ y.mT - squares / 2) / left + nats

    return Known(f"Gaussians, {dimensions} dimensions", nats, draw, ratio)


def bent(known: Known) -> Known:
    """Return the same pairs behind invertible maps that are not linear: I does not change.

    x goes through x |x|^(1/2), y through a rotation and arsinh.
    """

    def draw(n: int, generator: torch.Generator) -> Pairs:
        x, y = known.draw(n, generator)
        return x * x.abs().sqrt(), (y @ _rotation(y.shape[1], y)).asinh()

    def ratio(x: Tensor, y: Tensor) -> Tensor:
        assert known.ratio is not None
        straight = x.sign() * x.abs() ** (2 / 3), y.sinh() @ _rotation(y.shape[1], y).mT
        return known.ratio(*straight)

    return Known(f"{known.name}, bent", known.nats, draw, ratio if known.ratio else None)


def mixture(dimensions: int, rho: float = 0.95) -> Known:
    """Return pairs correlated by rho or by -rho, which of them each dimension draws anew.

    x and y are uncorrelated and depend on each other: a bilinear critic finds nothing. I is an
    integral over the plane, computed to 1e-6, times the number of dimensions.

    Raises:
        InputError: for no dimension, or a rho outside (0, 1).
    """
    at_least("dimensions", dimensions, 1)
    if not 0 < rho < 1:
        raise InputError(f"rho: expected 0 < rho < 1, got {rho}")

    def draw(n: int, generator: torch.Generator) -> Pairs:
        x, noise = torch.randn(2, n, dimensions, generator=generator)
        sign = torch.randint(2, (n, dimensions), generator=generator) * 2 - 1
        return x, sign * rho * x + math.sqrt(1 - rho**2) * noise

    def ratio(x: Tensor, y: Tensor) -> Tensor:
        ratios = (_log_ratio(x[:, i, None], y[None, :, i], rho) for i in range(dimensions))
        return torch.stack([*ratios]).sum(0)

    grid = torch.linspace(-9, 9, 3001, dtype=torch.float64)
    x, y = grid[:, None], grid[None, :]
    on_grid = _log_ratio(x, y, rho)
    density = (on_grid - (x**2 + y**2) / 2).exp() / (2 * math.pi)
    nats = ((density * on_grid).sum() * (grid[1] - grid[0]) ** 2).item()
    return Known(f"mixture, {dimensions} dimensions", dimensions * nats, draw, ratio)


def channel(symbols: int, error: float) -> Known:
    r"""Return a symbol and what a noisy channel makes of it, as one-hot vectors.

    The symbol arrives with probability 1 - e, else any other one does:
    I = log M + (1 - e) log(1 - e) + e log(e / (M - 1)).

    Raises:
        InputError: for fewer than 2 symbols, or an error outside (0, 1).
    """
    at_least("symbols", symbols, 2)
    if not 0 < error < 1:
        raise InputError(f"error: expected 0 < error < 1, got {error}")
    arrives, other = math.log(symbols * (1 - error)), math.log(symbols * error / (symbols - 1))

    def draw(n: int, generator: torch.Generator) -> Pairs:
        sent = torch.randint(symbols, (n,), generator=generator)
        shift = torch.randint(1, symbols, (n,), generator=generator)
        wrong = torch.rand(n, generator=generator) < error
        received = (sent + shift * wrong) % symbols
        eye = torch.eye(symbols)
        return eye[sent], eye[received]

    def ratio(x: Tensor, y: Tensor) -> Tensor:
        return other + (arrives - other) * (x @ y.mT)

    nats = (1 - error) * arrives + error * other
    return Known(f"channel, {symbols} symbols", nats, draw, ratio)


def _log_ratio(x: Tensor, y: Tensor, rho: float) -> Float[Tensor, "a b"]:
    """Return log p(x, y) / p(x) p(y) of one dimension of the mixture."""
    left = 1 - rho**2
    squares = rho**2 * (x**2 + y**2) / (2 * left)
    agree = rho * x * y / left
    return torch.logaddexp(agree, -agree) - math.log(2) - squares - math.log(left) / 2


def _rotation(dimensions: int, like: Tensor) -> Float[Tensor, "d d"]:
    """Return a fixed orthogonal matrix, neither sparse nor near the identity."""
    i = torch.arange(dimensions, dtype=torch.float64)
    waves = torch.cos(math.pi * (2 * i + 1) * i[:, None] / (2 * dimensions))  # DCT-II
    waves[0] /= math.sqrt(2)
    return (waves * math.sqrt(2 / dimensions)).to(like)
