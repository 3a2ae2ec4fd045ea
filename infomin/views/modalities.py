r"""Sensors as views: brightness, colour, depth and the direction of surfaces.

Images are R, G, B and depth, as data=nyuv2 gives them. CMC (arXiv:1906.05849, section 4.4) has an
encoder for each of L, ab, depth and surface normals of NYU Depth V2, and L as the core view.

Normals are those of the depth of a crop, for a focal length in pixels of the crop. Their directions
do not depend on the unit of depth.
"""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from infomin.color import convert
from infomin.core.errors import InputError, at_least, positive
from infomin.core.shapes import Image, Images, Views
from infomin.core.value_range import UNIT
from infomin.views.base import ImageInfo, View, register_view

MODALITIES = {"L": 1, "ab": 2, "depth": 1, "normals": 3}
"""Views by name, and their channels."""
_NEAR = 1 / 255  # least depth: at 0 there is no direction


@register_view("modalities")
class ModalityViews(View):
    """Some of L, ab, depth and normals, each of its own encoder; all within [-1, 1].

    Arguments:
        names: of the views, at least two; the first is the core of a core graph.
        focal: focal length, in pixels of the crops; for normals.
        smooth: standard deviation of a blur of depth before normals are computed, in pixels of the
            crops; it removes the steps of 8 bits.
        crops: see `View`.
        channels: C of the images: red, green, blue, depth.

    Raises:
        InputError: for unknown, repeated or fewer than two names, a value outside its range, or
            images of other than four channels.
    """

    def __init__(
        self,
        names: Sequence[str] = ("L", "ab", "depth", "normals"),
        focal: float = 86.0,
        smooth: float = 1.5,
        crops: str = "per_view",
        channels: int = 4,
    ) -> None:
        chosen, known = tuple(map(str, names)), ", ".join(MODALITIES)
        if not {*chosen} <= {*MODALITIES} or len({*chosen}) < max(2, len(chosen)):
            raise InputError(
                f"views.names: expected two or more of {known}, each once, got {[*chosen]}"
            )
        positive("views.focal", focal)
        at_least("views.smooth", smooth, 0)
        if channels != 4:
            raise InputError(
                f"views: modalities are those of R, G, B and depth, got {channels} channels; take "
                "data=nyuv2 data.channels=rgbd"
            )
        counts = tuple(MODALITIES[name] for name in chosen)
        sources = [(3,) if name in ("depth", "normals") else (0, 1, 2) for name in chosen]
        super().__init__(counts, crops, UNIT, channels, sources)
        self.names, self.focal, self.smooth = chosen, float(focal), float(smooth)

    @classmethod
    def from_options(cls, options: Mapping[str, Any], images: ImageInfo) -> View:
        """Build the views of R, G, B and depth, which lie within [0, 1]."""
        return cls(**options, channels=images.channels)

    def to_config(self) -> dict[str, Any]:
        """Return the arguments of the class."""
        config = {"channels": self.channels, "crops": super().to_config()["crops"]}
        return {**config, "names": list(self.names), "focal": self.focal, "smooth": self.smooth}

    def split(self, x: Images) -> Views:
        """Return all views of one crop."""
        return tuple(self.one(x, i) for i in range(len(self.names)))

    def one(self, x: Images, i: int) -> Image:
        """Return view i of a crop."""
        color, depth = x[:, :3], x[:, 3:]
        match self.names[i]:
            case "depth":
                return 2 * depth - 1
            case "normals":
                return normals(blurred(depth, self.smooth), self.focal)
            case name:
                lab = convert(color, "lab", normalize=True)
                return lab[:, :1] if name == "L" else lab[:, 1:]

    def __str__(self) -> str:
        """Return a short name for runs and tables."""
        return "-".join(self.names)


def blurred(depth: Float[Tensor, "b 1 h w"], sigma: float) -> Float[Tensor, "b 1 h w"]:
    """Return depth blurred by a Gaussian; sigma in pixels, 0 for none."""
    if sigma == 0:
        return depth
    from kornia.filters import gaussian_blur2d  # heavy

    sides = [2 * min(ceil(3 * sigma), side - 1) + 1 for side in depth.shape[2:]]
    smooth: Tensor = gaussian_blur2d(depth, (sides[0], sides[1]), (sigma, sigma))
    return smooth


def normals(depth: Float[Tensor, "b 1 h w"], focal: float) -> Float[Tensor, "b 3 h w"]:
    """Return the unit normals of surfaces, as x right, y down, z away from the camera.

    Arguments:
        depth: in any unit.
        focal: focal length in pixels; the camera looks at the middle of the image.
    """
    from kornia.geometry.depth import depth_to_normals  # heavy

    b, _, h, w = depth.shape
    camera = torch.eye(3, dtype=depth.dtype, device=depth.device)
    camera[0, 0] = camera[1, 1] = focal
    camera[0, 2], camera[1, 2] = (w - 1) / 2, (h - 1) / 2
    directions: Tensor = depth_to_normals(depth.clamp(min=_NEAR), camera.expand(b, 3, 3))
    return directions
