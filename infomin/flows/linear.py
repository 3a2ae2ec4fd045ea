"""Linear members of the family: constants, turns and learned mixings of channels."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from infomin.flows.base import Flow
from infomin.flows.buffers import Buffers


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

    def overwrite(self, planes: Tensor, buffers: Buffers) -> None:
        """Put y in the place of x."""
        y = torch.mm(self.matrix, planes, out=buffers("affine", *planes.shape))
        torch.add(y, self.offset[:, None], out=planes)

    def _forward(self, x: Tensor) -> Tensor:
        return (self.matrix @ x.mT).add_(self.offset[:, None]).mT

    def _inverse(self, y: Tensor) -> Tensor:
        return (self.inverse_matrix @ (y - self.offset).mT).mT

    def _log_abs_det(self, x: Tensor) -> Tensor:
        return x.new_full((len(x),), self.log_abs_det)


class Rotation(Flow):
    """Channel i goes to place i + shift, around the end: consecutive blocks see other channels."""

    def __init__(self, shift: int = 1) -> None:
        super().__init__()
        self.shift = shift

    def _forward(self, x: Tensor) -> Tensor:
        return x.mT.roll(self.shift, dims=0).mT

    def _inverse(self, y: Tensor) -> Tensor:
        return y.mT.roll(-self.shift, dims=0).mT

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

    def frozen(self) -> FixedAffine:
        """Return y = Q x with Q as a constant."""
        return _constant(self.matrix)

    def _forward(self, x: Tensor) -> Tensor:
        return (self.matrix @ x.mT).mT

    def _inverse(self, y: Tensor) -> Tensor:
        return (self.matrix.mT @ y.mT).mT


class InvertibleMixing(Flow):
    """y = exp(A) x: a general invertible 1x1 mixing (cf. Glow, arXiv:1807.03039, section 3.2).

    The matrix exponential needs no pivoting, has the exact inverse exp(-A), and its log-determinant
    is simply the trace of A.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.generator = nn.Parameter(torch.zeros(channels, channels))

    @property
    def matrix(self) -> Tensor:
        """exp(A), `(c, c)`."""
        return torch.linalg.matrix_exp(self.generator)

    def frozen(self) -> FixedAffine:
        """Return y = exp(A) x with exp(A) as a constant."""
        return _constant(self.matrix)

    def _forward(self, x: Tensor) -> Tensor:
        return (self.matrix @ x.mT).mT

    def _inverse(self, y: Tensor) -> Tensor:
        return (torch.linalg.matrix_exp(-self.generator) @ y.mT).mT

    def _log_abs_det(self, x: Tensor) -> Tensor:
        return self.generator.trace().expand(len(x))


def _constant(matrix: Tensor) -> FixedAffine:
    matrix = matrix.detach()
    return FixedAffine(matrix, matrix.new_zeros(len(matrix)))
