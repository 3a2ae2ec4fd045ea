r"""Pixel-wise invertible maps on C channels, the family that the view generator g is made of.

A flow y = g(x) acts on *pixel rows*, `(n, c)`: every pixel of every image is one row, and each
output row depends on its own input row alone. It comes with its inverse and with
`log_abs_det_jacobian`, the logarithm of |det dy/dx| at each row.

Why rows: a 1x1 convolution *is* a matrix product over pixel rows, and as such it runs about ten
times faster on a CPU. Why float32 under autocast: in bfloat16 a round trip is off by several grey
levels. Every flow here is the identity when it is made, so that a fresh generator gives the raw
colour channels.

Sources: volume-preserving (VP) blocks are NICE's additive coupling (Dinh et al. 2014,
arXiv:1410.8516), the others RealNVP's affine coupling (Dinh et al. 2016, arXiv:1605.08803);
InfoMin (arXiv:2005.10243), section 4.2, uses both.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from infomin.errors import InputError
from infomin.shapes import PerRow, Rows

KINDS = ("additive", "affine")
MIXINGS = ("rotation", "orthogonal", "invertible", "none")


def _full_precision(x: Tensor) -> AbstractContextManager[object]:
    """Switch autocast off around a flow, where it is on."""
    device = x.device.type
    if torch.is_autocast_enabled(device):
        return torch.autocast(device, enabled=False)
    return nullcontext()


class Flow(nn.Module):
    """An invertible map of pixel rows `(n, c) -> (n, c)`.

    Members define `_forward`, `_inverse` and `_log_abs_det`; half-precision input is taken to
    float32 first, and autocast is switched off inside.
    """

    def forward(self, x: Rows) -> Rows:
        """Map x to y."""
        with _full_precision(x):
            return self._forward(_at_least_float32(x))

    def inverse(self, y: Rows) -> Rows:
        """Map y back to x."""
        with _full_precision(y):
            return self._inverse(_at_least_float32(y))

    def log_abs_det_jacobian(self, x: Rows) -> PerRow:
        """Return log |det dy/dx| at each row of x, in nats."""
        with _full_precision(x):
            return self._log_abs_det(_at_least_float32(x))

    def _forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def _inverse(self, y: Tensor) -> Tensor:
        raise NotImplementedError

    def _log_abs_det(self, x: Tensor) -> Tensor:
        """Volume is preserved unless a member says otherwise."""
        return x.new_zeros(len(x))


def _at_least_float32(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


class FixedAffine(Flow):
    """y = M x + b with constants M (c x c, invertible) and b: colour spaces and normalisation."""

    matrix: Tensor
    inverse_matrix: Tensor
    offset: Tensor

    def __init__(self, matrix: Float[Tensor, "c c"], offset: Float[Tensor, " c"]) -> None:
        super().__init__()
        exact = matrix.double()
        self.register_buffer("matrix", matrix, persistent=False)
        self.register_buffer("inverse_matrix", exact.inverse().to(matrix), persistent=False)
        self.register_buffer("offset", offset, persistent=False)
        self.log_abs_det = exact.slogdet().logabsdet.item()

    def _forward(self, x: Tensor) -> Tensor:
        return torch.addmm(self.offset, x, self.matrix.mT)

    def _inverse(self, y: Tensor) -> Tensor:
        return (y - self.offset) @ self.inverse_matrix.mT

    def _log_abs_det(self, x: Tensor) -> Tensor:
        return x.new_full((len(x),), self.log_abs_det)


class Rotation(Flow):
    """Channel i goes to place i + shift, around the end: consecutive blocks see other channels."""

    def __init__(self, shift: int = 1) -> None:
        super().__init__()
        self.shift = shift

    def _forward(self, x: Tensor) -> Tensor:
        return x.roll(self.shift, dims=-1)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.roll(-self.shift, dims=-1)

    def extra_repr(self) -> str:
        """Show the shift."""
        return f"shift={self.shift}"


class OrthogonalMixing(Flow):
    """y = Q x with Q = exp(A - A^T): a rotation of the colour space, volume preserving."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.generator = nn.Parameter(torch.zeros(channels, channels))

    @property
    def matrix(self) -> Tensor:
        """Q, `(c, c)`."""
        return torch.linalg.matrix_exp(self.generator - self.generator.mT)

    def _forward(self, x: Tensor) -> Tensor:
        return x @ self.matrix.mT

    def _inverse(self, y: Tensor) -> Tensor:
        return y @ self.matrix


class InvertibleMixing(Flow):
    """y = exp(A) x: a general invertible 1x1 mixing (cf. Glow, arXiv:1807.03039, section 3.2).

    The matrix exponential needs no pivoting, has the exact inverse exp(-A), and its log-determinant
    is simply the trace of A.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.generator = nn.Parameter(torch.zeros(channels, channels))

    def _forward(self, x: Tensor) -> Tensor:
        return x @ torch.linalg.matrix_exp(self.generator).mT

    def _inverse(self, y: Tensor) -> Tensor:
        return y @ torch.linalg.matrix_exp(-self.generator).mT

    def _log_abs_det(self, x: Tensor) -> Tensor:
        return self.generator.trace().expand(len(x))


class Coupling(Flow):
    r"""Some channels pass, and a small network of them changes the others.

    Additive: y_b = x_b + t(x_a), log-det 0 (VP, NICE). Affine: y_b = x_b exp(s(x_a)) + t(x_a) with
    s = bound * tanh(.), log-det = sum of s (NVP, RealNVP); the bound keeps a channel from being
    blown up or shrunk to nothing. y_a = x_a in both.

    The network's first weight is widened by zero columns and its last by zero rows, so that every
    layer is one product over whole rows: no channel is ever sliced out or put back.

    Arguments:
        channels: C, at least 2.
        passed: the channels x_a that pass; all others are changed.
        kind: `additive` or `affine`.
        hidden: width of the network.
        layers: its number of hidden layers, at least 1.
        log_scale_bound: largest |s|, in nats; affine only.
    """

    reads: Tensor
    writes: Tensor

    def __init__(
        self,
        channels: int,
        passed: Sequence[int],
        kind: str = "affine",
        hidden: int = 32,
        layers: int = 2,
        log_scale_bound: float = 2.0,
    ) -> None:
        super().__init__()
        changed = [i for i in range(channels) if i not in passed]
        self.kind, self.log_scale_bound = kind, log_scale_bound
        outputs = len(changed) * (2 if kind == "affine" else 1)
        widths = [len(passed)] + [hidden] * layers
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.output = nn.Linear(hidden, outputs)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)
        eye = torch.eye(channels)
        self.register_buffer("reads", eye[list(passed)], persistent=False)
        self.register_buffer("writes", eye[:, changed], persistent=False)

    def _features(self, x: Tensor) -> Tensor:
        """Run the hidden layers: they see nothing but the passed channels."""
        first: nn.Linear = self.hidden[0]  # type: ignore[assignment]
        h = F.relu(F.linear(x, first.weight @ self.reads, first.bias))
        for layer in self.hidden[1:]:
            h = F.relu(layer(h))
        return h

    def _shift(self, h: Tensor) -> Tensor:
        """Return t, `(n, c)`: zero on the passed channels."""
        k = self.writes.shape[1]
        return F.linear(h, self.writes @ self.output.weight[:k], self.writes @ self.output.bias[:k])

    def _log_scale(self, h: Tensor) -> Tensor:
        """Return s, `(n, c)`: zero on the passed channels."""
        k = self.writes.shape[1]
        raw = F.linear(h, self.writes @ self.output.weight[k:], self.writes @ self.output.bias[k:])
        return self.log_scale_bound * torch.tanh(raw)

    def _forward(self, x: Tensor) -> Tensor:
        h = self._features(x)
        if self.kind == "additive":
            return x + self._shift(h)
        return torch.addcmul(self._shift(h), x, self._log_scale(h).exp())

    def _inverse(self, y: Tensor) -> Tensor:
        h = self._features(y)
        if self.kind == "additive":
            return y - self._shift(h)
        return (y - self._shift(h)) * (-self._log_scale(h)).exp()

    def _log_abs_det(self, x: Tensor) -> Tensor:
        if self.kind == "additive":
            return x.new_zeros(len(x))
        return self._log_scale(self._features(x)).sum(-1)

    def extra_repr(self) -> str:
        """Show what passes."""
        return f"{self.kind}, passed={self.reads.argmax(-1).tolist()}"


class Composition(Flow):
    """g = g_L . ... . g_1; log-determinants add up along the way."""

    def __init__(self, flows: Sequence[Flow]) -> None:
        super().__init__()
        self.flows = nn.ModuleList(flows)

    def _forward(self, x: Tensor) -> Tensor:
        for flow in self.flows:
            x = flow(x)
        return x

    def _inverse(self, y: Tensor) -> Tensor:
        for flow in reversed(self.flows):
            y = flow.inverse(y)  # type: ignore[operator]
        return y

    def _log_abs_det(self, x: Tensor) -> Tensor:
        total = x.new_zeros(len(x))
        for flow in self.flows:
            total = total + flow.log_abs_det_jacobian(x)  # type: ignore[operator]
            x = flow(x)
        return total


def build_flow(
    channels: int,
    kind: str = "affine",
    blocks: int = 2,
    hidden: int = 16,
    layers: int = 2,
    mixing: str = "orthogonal",
    mix_output: bool = False,
    log_scale_bound: float = 2.0,
) -> Composition:
    """Build the flow of a view generator; its arguments are what a generator's card records.

    A block is one mixing and two couplings: first channel -> the others, the others -> first
    channel. The papers leave number, width and depth open; these defaults are ours, the smallest
    that lost nothing (docs/results.md).

    Arguments:
        channels: C, at least 2.
        kind: `additive` (VP) or `affine` (NVP).
        blocks: number of blocks; 0 gives the identity.
        hidden: width of the coupling networks.
        layers: their number of hidden layers.
        mixing: before each block, `rotation`, `orthogonal`, `invertible` or `none`.
        mix_output: one more mixing at the end.
        log_scale_bound: largest log-scale of an affine coupling, in nats.

    Raises:
        InputError: for an argument outside these ranges.
    """
    _one_of("flow.kind", kind, KINDS)
    _one_of("flow.mixing", mixing, MIXINGS)
    _at_least("channels", channels, 2)
    for name, value, least in (("blocks", blocks, 0), ("hidden", hidden, 1), ("layers", layers, 1)):
        _at_least(f"flow.{name}", value, least)
    if log_scale_bound <= 0:
        raise InputError(f"flow.log_scale_bound: expected a number > 0, got {log_scale_bound}")

    def mix() -> list[Flow]:
        if mixing == "orthogonal":
            return [OrthogonalMixing(channels)]
        if mixing == "invertible":
            return [InvertibleMixing(channels)]
        return [Rotation()] if mixing == "rotation" else []

    def coupling(passed: Sequence[int]) -> Coupling:
        return Coupling(channels, passed, kind, hidden, layers, log_scale_bound)

    flows: list[Flow] = []
    for _ in range(blocks):
        flows += [*mix(), coupling([0]), coupling(range(1, channels))]
    if mixing == "rotation":  # undo the turns, so that a fresh flow is the identity
        flows.append(Rotation(-blocks))
    elif mix_output:
        flows += mix()
    return Composition(flows)


def _one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise InputError(f"{name}: expected one of {', '.join(allowed)}, got {value!r}")


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise InputError(f"{name}: expected at least {least}, got {value}")
