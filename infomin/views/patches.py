"""Patches: both views are cut out of one image, one d pixels beside and above or below the other.

The paper has v1 at (x, y) and v2 at (x + d, y + d). That alone would give v1 the upper left of all
images and v2 the lower right. Here every pair of places in the image, on either diagonal and in
either order, is equally likely, so both views see the same places. The patches of a distant pair
still lie in opposite corners. A series over d is fair only on images of one size, with room for its
largest d.

Patches of one photograph in a batch are negatives of one another, as any two images are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64, Num
from torch import Tensor

from infomin.augment import as_float
from infomin.core.batching import Params
from infomin.core.errors import InputError, whole_number
from infomin.core.shapes import Images, Views
from infomin.core.value_range import UNIT
from infomin.views.base import View, register_view


@dataclass(frozen=True)
class PatchParams(Params):
    """Positions of the pairs of a batch.

    Attributes:
        down, right: position of the square that holds both patches, as a share of the free space.
        below, beside: whether v1 is the lower patch, and the right one.
    """

    down: Float[Tensor, " n"]
    right: Float[Tensor, " n"]
    below: Bool[Tensor, " n"]
    beside: Bool[Tensor, " n"]


@register_view("patches")
class PatchViews(View):
    """Two patches of an image, all channels in each, scaled to [-1, 1].

    Arguments:
        channels: C of the images.
        patch: side of the patches, in pixels: what the encoders take.
        distance: d, in pixels of the images, along either axis; 0 makes both patches the same.
        value_range: lowest and highest value of the images.

    Raises:
        InputError: for a patch below 1 pixel, or a distance below 0.
    """

    in_color = True
    same_pixels = False

    def __init__(
        self,
        channels: int = 3,
        patch: int = 32,
        distance: int = 32,
        value_range: Sequence[float] = UNIT,
    ) -> None:
        whole_number("views.patch", patch, 1)
        whole_number("views.distance", distance, 0)
        super().__init__((channels, channels), "shared", value_range, channels)
        self.patch, self.distance = patch, distance

    def to_config(self) -> dict[str, Any]:
        """Return the arguments of the class."""
        return {
            "channels": self.channels,
            "value_range": list(self.value_range),
            "patch": self.patch,
            "distance": self.distance,
        }

    def sample(self, n: int, generator: torch.Generator) -> PatchParams:
        """Sample the positions of n pairs."""
        down, right, below, beside = torch.rand(4, n, generator=generator)
        return PatchParams(down, right, below < 0.5, beside < 0.5)

    def check_size(self, height: int, width: int) -> None:
        """Check that both patches fit into images of this height and width."""
        side = min(height, width)
        larger = f"of images of {width}x{height}; data.size=N augment=whole leaves more"
        if self.patch > side:
            raise InputError(f"views.patch: expected 1..{side} pixels {larger}, got {self.patch}")
        if self.patch + self.distance > side:
            raise InputError(
                f"views.distance: expected 0..{side - self.patch} pixels beside patches of "
                f"{self.patch} {larger}, got {self.distance}"
            )

    def forward(
        self, *crops: Num[Tensor, "b c rows columns"], params: PatchParams | None = None
    ) -> Views:
        """Return two patches of each image, of any type; as `split` without params."""
        if params is None:
            return self.split(as_float(crops[0]))
        (frames,) = crops
        height, width = frames.shape[2:]
        self.check_size(height, width)
        room = [side - self.patch - self.distance + 1 for side in (height, width)]
        top, left = _pixels(params.down, room[0]), _pixels(params.right, room[1])
        places = (
            (top + self.distance * params.below, left + self.distance * params.beside),
            (top + self.distance * ~params.below, left + self.distance * ~params.beside),
        )
        return tuple(self.normalized(as_float(_cut(frames, *p, self.patch))) for p in places)

    def split(self, x: Images) -> Views:
        """Return the whole image twice: evaluation resizes it to the size of the patches first."""
        whole = self.normalized(x)
        return whole, whole

    def __str__(self) -> str:
        """Return a short name for runs and tables."""
        return f"patches-d{self.distance}"


def _pixels(share: Float[Tensor, " n"], room: int) -> Int64[Tensor, " n"]:
    """Return which of so many pixels, each equally likely; a share can round up to 1."""
    return (share * room).long().clamp(max=room - 1)


def _cut(
    frames: Num[Tensor, "b c h w"], top: Int64[Tensor, " b"], left: Int64[Tensor, " b"], side: int
) -> Num[Tensor, "b c s s"]:
    """Cut one square out of each image, without a copy of the rest."""
    cuts = zip(frames, top.tolist(), left.tolist(), strict=True)
    return torch.stack([frame[:, t : t + side, x : x + side] for frame, t, x in cuts])
