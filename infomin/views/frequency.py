"""Frequency bands: v1 is the image blurred, v2 what the blur takes away (InfoMin, section 3).

The kernel reaches four deviations: beyond lies 6e-5 of a Gaussian, less than a quarter of a grey
level of 8 bits. On smaller images it reaches one pixel less than the side, as reflection does. At
the border the image is reflected: zeros would draw a frame into v2.

A blur is separable, so that of a batch is two matrix products, several times as fast on a CPU.
"""

from collections.abc import Sequence
from math import ceil
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from infomin.core.errors import InputError, positive
from infomin.core.shapes import Images, Views
from infomin.core.value_range import UNIT
from infomin.views.base import View, register_view

DEVIATIONS = 4
"""How far the kernel reaches."""
SIGMAS = (0.1, 1000.0)
"""Least and most deviation: below, neighbours weigh 1e-22; above, only the mean is left."""


@register_view("frequency")
class FrequencyViews(View):
    """Low and high frequencies, all channels in each; of one crop they add up to it.

    Arguments:
        sigma: deviation of the blur, in pixels of the crops.
        channels: C of the images.
        crops: see `View`; with `per_view` the two bands are of different crops.
        value_range: lowest and highest value of the images, scaled to [-1, 1] before the blur.

    Raises:
        InputError: for a sigma that is not greater than 0, or not within `SIGMAS`.
    """

    in_color = True

    def __init__(
        self,
        sigma: float = 1.0,
        channels: int = 3,
        crops: str = "per_view",
        value_range: Sequence[float] = UNIT,
    ) -> None:
        positive("views.sigma", sigma)
        least, most = SIGMAS
        if not least <= sigma <= most:
            raise InputError(
                f"views.sigma: expected {least} to {most} pixels, got {sigma}; less blurs nothing, "
                "more leaves one colour"
            )
        super().__init__((channels, channels), crops, value_range, channels)
        self.sigma = sigma

    def to_config(self) -> dict[str, Any]:
        """Return the arguments of the class."""
        return {**super().to_config(), "sigma": self.sigma}

    def split(self, x: Images) -> Views:
        """Return both bands of one crop."""
        image = self.normalized(x)
        rows, columns = (_blur(side, self.sigma).to(image) for side in image.shape[2:])
        low = rows @ image @ columns.mT
        return low, image - low

    def __str__(self) -> str:
        """Return a short name for runs and tables."""
        return f"frequency-{self.sigma:g}"


def _blur(side: int, sigma: float) -> Float[Tensor, "s s"]:
    """Return the matrix of a blur along one axis: kornia's, of each of its pixels alone."""
    from kornia.filters import gaussian_blur2d  # heavy

    pixels = rearrange(torch.eye(side), "h w -> 1 1 h w")
    size = (2 * ceil(min(DEVIATIONS * sigma, side - 1)) + 1, 1)
    blurred = gaussian_blur2d(pixels, size, (sigma, sigma), border_type="reflect")
    return rearrange(blurred, "1 1 h w -> h w")
