"""Linear flows: constant maps, rotations of the channel order and learned mixings of channels."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from infomin.flows.base import Buffers, Flow


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

    def forward_(self, planes: Tensor, buffers: Buffers) -> None:
        """Replace x by y in place."""
        y = torch.mm(self.matrix, planes, out=buffers("affine", *planes.shape))
        torch.add(y, self.offset[:, None], out=planes)

    def _forward(self, x: Tensor) -> Tensor:
        return (self.matrix @ x.mT).add_(self.offset[:, None]).mT

    def _inverse(self, y: Tensor) -> Tensor:
        return (self.inverse_matrix @ (y - self.offset).mT).mT

    def _log_abs_det(self, x: Tensor) -> Tensor:
        return x.new_full((len(x),), self.log_abs_det)


class Rotation(Flow):
    """Channel i becomes channel i + shift, cyclically: consecutive blocks pass other channels."""

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


class InvertibleMixing(Flow):
    """y = exp(A) x: a general invertible 1x1 mixing (cf. Glow, arXiv:1807.03039, section 3.2).

    The matrix exponential needs no pivoting. Its inverse is exactly exp(-A), and its
    log-determinant is the trace of A.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.generator = nn.Parameter(torch.zeros(channels, channels))

    @property
    def matrix(self) -> Tensor:
        """exp(A), `(c, c)`."""
        return torch.linalg.matrix_exp(self.generator)

    def frozen(self) -> FixedAffine:
        """Return the same map with a constant matrix."""
        matrix = self.matrix.detach()
        return FixedAffine(matrix, matrix.new_zeros(len(matrix)))

    def _forward(self, x: Tensor) -> Tensor:
        return (self.matrix @ x.mT).mT

    def _inverse(self, y: Tensor) -> Tensor:
        return (torch.linalg.matrix_exp(-self.generator) @ y.mT).mT

    def _log_abs_det(self, x: Tensor) -> Tensor:
        return self.generator.trace().expand(len(x))


class OrthogonalMixing(InvertibleMixing):
    """y = Q x with Q = exp(A - A^T): a rotation of the colour space, volume preserving."""

    @property
    def matrix(self) -> Tensor:
        """Q, `(c, c)`."""
        return torch.linalg.matrix_exp(self.generator - self.generator.mT)

    def _inverse(self, y: Tensor) -> Tensor:
        return (self.matrix.mT @ y.mT).mT

    def _log_abs_det(self, x: Tensor) -> Tensor:
        return x.new_zeros(len(x))
