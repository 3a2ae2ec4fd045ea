"""Modules for graph exporters: g on tensors, without checks that exporters cannot trace."""

from jaxtyping import Float
from torch import Tensor, nn

from infomin.core.channel_groups import split
from infomin.core.shapes import Images, Views
from infomin.flows import to_images, to_rows
from infomin.generator import ViewGenerator


class Rows(nn.Module):
    """g on pixel rows `n c -> n c`, with everything that depends on weights alone precomputed."""

    def __init__(self, generator: ViewGenerator) -> None:
        super().__init__()
        self.start, self.flow = generator.start, generator.flow.frozen()
        self.eval().requires_grad_(False)

    def forward(self, x: Float[Tensor, "n c"]) -> Float[Tensor, "n c"]:
        """Return all output channels."""
        y: Tensor = self.flow(self.start(x))
        return y


class Program(nn.Module):
    """g on images `b c h w`."""

    def __init__(self, generator: ViewGenerator) -> None:
        super().__init__()
        self.rows, self.groups = Rows(generator), generator.groups

    def forward(self, images: Images) -> Views:
        """Return the views."""
        return split(to_images(self.rows(to_rows(images)), like=images), self.groups)
