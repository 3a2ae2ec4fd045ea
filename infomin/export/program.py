"""What graph exporters see of a generator: tensors in, views out, no checks and no Python."""

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from infomin.flows import to_images, to_rows
from infomin.generator import ViewGenerator
from infomin.groups import split
from infomin.shapes import Views


class Program(nn.Module):
    """g with all that depends on weights alone computed before.

    Arguments:
        generator: g.
        eight_bits: take uint8 images and scale them to [0, 1] inside.
    """

    def __init__(self, generator: ViewGenerator, eight_bits: bool = False) -> None:
        super().__init__()
        self.start, self.flow = generator.start, generator.flow.frozen()
        self.groups, self.eight_bits = generator.groups, eight_bits
        self.eval().requires_grad_(False)

    def forward(self, images: Float[Tensor, "b c h w"] | UInt8[Tensor, "b c h w"]) -> Views:
        """Return the views."""
        x = images.float() / 255 if self.eight_bits else images
        return split(to_images(self.flow(self.start(to_rows(x))), like=x), self.groups)
