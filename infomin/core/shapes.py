"""The shapes that signatures speak of: b images of c channels, h rows, w columns; n pixel rows."""

from jaxtyping import Float
from torch import Tensor

Images = Float[Tensor, "b c h w"]
Image = Float[Tensor, "b _ h w"]
"""One view among others: same images, own number of channels."""
Seen = Float[Tensor, "_ _ h w"]
"""One view of those images that have it."""
Views = tuple[Image, ...]
Rows = Float[Tensor, "n c"]
PerRow = Float[Tensor, " n"]
