"""Shapes in signatures: b images of c channels, h rows and w columns; n pixel rows."""

from jaxtyping import Float, Shaped
from torch import Tensor

Images = Float[Tensor, "b c h w"]
Pixels = Shaped[Tensor, "b c h w"]
"""Images of any type; `core.pixels` refuses those without a meaning."""
Image = Float[Tensor, "b _ h w"]
"""One of several views of the same images, with its own number of channels."""
Views = tuple[Image, ...]
Rows = Float[Tensor, "n c"]
PerRow = Float[Tensor, " n"]
