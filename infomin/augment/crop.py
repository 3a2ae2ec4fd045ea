r"""Batched random resized crops and flips: bilinear, antialiased, differentiable, without a loop.

Pixels equal torchvision's `resized_crop(antialias=True)`, the oracle of the tests. A resized crop
is separable: `y = A_h x A_w^T` with two interpolation matrices per sample, so a batch of crops is
two matrix products. If no box is larger than the result, one grid sample gives the same for less.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import grid_sample

from infomin.augment.base import Augmentation
from infomin.core.batching import Params, map_chunks, to_device
from infomin.core.errors import InputError, number_pair, probability
from infomin.core.shapes import Images

Resized = Float[Tensor, "b c o p"]
HALF_PRECISION = (torch.float16, torch.bfloat16)
"""On a CPU, grid_sample is wrong or NaN for these types (torch 2.15)."""
_TRIES = 10  # torchvision's RandomResizedCrop.make_params


@dataclass(frozen=True)
class CropParams(Params):
    """One box per sample: rows top..top+height and columns left..left+width, in pixels."""

    top: Float[Tensor, " b"]
    left: Float[Tensor, " b"]
    height: Float[Tensor, " b"]
    width: Float[Tensor, " b"]
    flip: Bool[Tensor, " b"]


class CropFlip(Augmentation):
    """Random resized crop and horizontal flip (Inception crop, as in torchvision).

    Arguments:
        size: side of the result, in pixels.
        scale: lowest and highest fraction of the area, within (0, 1]; (1, 1) with `ratio` (1, 1)
            is a plain resize.
        ratio: lowest and highest aspect ratio (width / height).
        flip: probability of a horizontal flip.
        name: prefix of the options in error messages.

    Raises:
        InputError: for values outside these ranges.
    """

    def __init__(
        self,
        size: int,
        scale: Sequence[float] = (0.5, 1.0),
        ratio: Sequence[float] = (3 / 4, 4 / 3),
        flip: float = 0.5,
        name: str = "augment",
    ) -> None:
        if size < 1:
            raise InputError(f"{name}.size: expected a side of at least 1 pixel, got {size}")
        scale, ratio = number_pair(f"{name}.scale", scale), number_pair(f"{name}.ratio", ratio)
        if not 0 < scale[0] <= scale[1] <= 1:
            raise InputError(f"{name}.scale: expected 0 < low <= high <= 1, got {list(scale)}")
        if not 0 < ratio[0] <= ratio[1]:
            raise InputError(f"{name}.ratio: expected 0 < low <= high, got {list(ratio)}")
        probability(f"{name}.flip", flip)
        self.size, self.scale, self.ratio, self.flip = size, scale, ratio, flip

    def sample(self, n: int, height: int, width: int, generator: torch.Generator) -> CropParams:
        """Sample n boxes in images of this height and width.

        As in torchvision: the area is uniform, the aspect ratio log-uniform. The first of ten tries
        that lies in the image counts, else the largest centred box of an allowed ratio.
        """
        u = torch.rand(5, n, _TRIES, generator=generator)
        area = height * width * (self.scale[0] + (self.scale[1] - self.scale[0]) * u[0])
        low, high = (math.log(r) for r in self.ratio)
        ratio = torch.exp(low + (high - low) * u[1])
        w, h = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
        valid = (w <= width) & (h <= height) & (w > 0) & (h > 0)
        first = valid.int().argmax(1, keepdim=True)
        w, h = (v.gather(1, first).squeeze(1) for v in (w, h))
        any_valid = valid.any(1)
        fallback_w = w.new_tensor(min(width, round(height * self.ratio[1])))
        fallback_h = h.new_tensor(min(height, round(width / self.ratio[0])))
        w, h = w.where(any_valid, fallback_w), h.where(any_valid, fallback_h)
        top, left = (u[2, :, 0] * (height - h + 1)).floor(), (u[3, :, 0] * (width - w + 1)).floor()
        top, left = top.clamp(max=height - 1), left.clamp(max=width - 1)
        top = top.where(any_valid, ((height - h) / 2).floor())
        left = left.where(any_valid, ((width - w) / 2).floor())
        return CropParams(top, left, h, w, u[4, :, 0] < self.flip)

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Return (size, size)."""
        return self.size, self.size

    def check_size(self, height: int, width: int, setting: str = "encoder.size") -> None:
        """Check that no image would be enlarged; see `Augmentation`."""
        if self.size > min(height, width):
            raise InputError(
                f"augment.size: expected at most {min(height, width)} pixels, the shorter side of "
                f"images of {width}x{height}, got {self.size}; set {setting}="
                f"{min(height, width)}, or data.size={self.size}"
            )

    def apply(self, images: Tensor, params: CropParams) -> Images:
        """Crop images of any type; float, in [0, 1] for uint8, else in their own units."""

        def crop(chunk: Tensor, index: slice) -> Images:
            p, (height, width) = params[index], images.shape[2:]
            rows = Axis(p.top, p.height, height, self.size)
            columns = Axis(p.left, p.width, width, self.size)
            return resample(as_float(chunk), rows, columns, p.flip)

        return map_chunks(images, crop)


class Whole(Augmentation):
    """Whole images in their own type, neither cropped nor resized: for views that crop themselves.

    A view that crops a small part of large images converts only that part to float.
    """

    def __init__(self) -> None:
        """Take no options; without this, the error for an option would not name it."""

    def sample(self, n: int, height: int, width: int, generator: torch.Generator) -> Params:
        """Return parameters without fields."""
        return Params()

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the same height and width."""
        return height, width

    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Return the same images."""
        return images


def resize(images: Tensor, size: int) -> Images:
    """Resize the central square of images, in whole pixels; float, in [0, 1] for uint8."""
    n, (height, width) = len(images), images.shape[2:]
    side = min(height, width)
    zero, one = torch.zeros(n), torch.ones(n)
    top, left = one * ((height - side) // 2), one * ((width - side) // 2)
    params = CropParams(top, left, one * side, one * side, zero.bool())
    return CropFlip(size).apply(images, params)


def as_float(images: Tensor) -> Tensor:
    """Convert images of any type to float: uint8 to [0, 1], others in their own units."""
    if images.dtype == torch.uint8:
        return images / 255
    return images if images.is_floating_point() else images.to(torch.get_default_dtype())


@dataclass(frozen=True)
class Axis:
    """The rows, or the columns, of a batch of crops.

    Attributes:
        start, length: of the boxes, in pixels of the images.
        source: rows or columns of the images.
        size: rows or columns of the result.
    """

    start: Float[Tensor, " b"]
    length: Float[Tensor, " b"]
    source: int
    size: int

    @property
    def centers(self) -> Float[Tensor, "b size"]:
        """Centres of the result's pixels in the images, whose first pixel has its centre at 0.5."""
        step = self.length / self.size
        pixel = rearrange(torch.arange(self.size, device=self.start.device), "o -> 1 o") + 0.5
        return rearrange(self.start, "b -> b 1") + pixel * rearrange(step, "b -> b 1")

    @property
    def is_identity(self) -> bool:
        """Whether the result has the very pixels of the images."""
        whole = (self.start == 0) & (self.length == self.source)
        return self.source == self.size and bool(whole.all())

    def to(self, device: torch.device) -> "Axis":
        """Copy to a device: boxes are small, interpolation weights are not."""
        start, length = to_device(self.start, device), to_device(self.length, device)
        return Axis(start, length, self.source, self.size)


def resample(x: Images, rows: Axis, columns: Axis, flip: Bool[Tensor, " b"]) -> Resized:
    """Resize a box of each float image, as if it were cut out first, and flip it on demand."""
    if x.dtype in HALF_PRECISION:
        return resample(x.float(), rows, columns, flip).to(x.dtype)
    flip = to_device(flip, x.device)
    if rows.is_identity and columns.is_identity:
        return torch.where(rearrange(flip, "b -> b 1 1 1"), x.flip(3), x)
    rows, columns = rows.to(x.device), columns.to(x.device)
    if max(rows.source, columns.source) <= min(rows.size, columns.size):
        return _resample_bilinear(x, rows, columns, flip)
    return _resample_antialiased(x, rows, columns, flip)


def _resample_antialiased(
    x: Images, rows: Axis, columns: Axis, flip: Bool[Tensor, " b"]
) -> Resized:
    a_h, a_w = _weights(rows).to(x), _weights(columns).to(x)
    a_w = torch.where(rearrange(flip, "b -> b 1 1"), a_w.flip(1), a_w)
    c = x.shape[1]
    narrow = rearrange(x, "b c h w -> b (c h) w") @ a_w.mT
    narrow = rearrange(narrow, "b (c h) p -> b h (c p)", c=c)
    return rearrange(a_h @ narrow, "b o (c p) -> b c o p", c=c)


def _weights(axis: Axis) -> Float[Tensor, "b o s"]:
    """Return the weights of source pixels for each pixel of the result; rows sum to 1.

    The filter is a triangle, wider if the box shrinks (antialiasing).
    """
    step = rearrange(axis.length / axis.size, "b -> b 1 1")
    begin = rearrange(axis.start, "b -> b 1 1")
    end = rearrange(axis.start + axis.length, "b -> b 1 1")
    pixel = rearrange(torch.arange(axis.source, device=begin.device), "s -> 1 1 s") + 0.5
    distance = (pixel - rearrange(axis.centers, "b o -> b o 1")).abs()
    weight = (1 - distance / step.clamp(min=1)).clamp(min=0)
    weight = weight * ((pixel > begin) & (pixel < end))
    return weight / weight.sum(-1, keepdim=True)


def _resample_bilinear(x: Images, rows: Axis, columns: Axis, flip: Bool[Tensor, " b"]) -> Resized:
    y, x_positions = _grid_positions(rows), _grid_positions(columns)
    x_positions = torch.where(rearrange(flip, "b -> b 1"), x_positions.flip(1), x_positions)
    positions = torch.broadcast_tensors(
        rearrange(x_positions, "b w -> b 1 w"), rearrange(y, "b h -> b h 1")
    )
    grid = torch.stack(positions, -1).to(x)
    return grid_sample(x, grid, align_corners=False)  # never beyond the centres of outer pixels


def _grid_positions(axis: Axis) -> Float[Tensor, "b o"]:
    """Return the centres, clamped to those of the box's outer pixels, in [-1, 1]."""
    first = (axis.start + 0.5).floor() + 0.5
    last = (axis.start + axis.length - 0.5).ceil() - 0.5
    inside = axis.centers.clamp(rearrange(first, "b -> b 1"), rearrange(last, "b -> b 1"))
    return 2 * inside / axis.source - 1
