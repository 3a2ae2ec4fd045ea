r"""Batched crops and flips: the geometry that views are drawn with, alone or before other changes.

Pixels are bilinear with antialiasing, as torchvision's `resized_crop(antialias=True)` (the oracle
of the tests), differentiable, and come without a loop over samples; see `resample`. Parameters are
drawn for the whole batch and then applied, so that several processes can draw the same ones and
each apply its share.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from infomin.augment.resample import Lines, resample
from infomin.core.batching import assemble
from infomin.core.errors import InputError, low_and_high, probability
from infomin.core.shapes import Images


@dataclass(frozen=True)
class CropParams:
    """One crop a sample, in pixels of the source: rows top..top+height, columns left..left+width.

    All fields are `(b,)`; `flip` is boolean.
    """

    top: Tensor
    left: Tensor
    height: Tensor
    width: Tensor
    flip: Tensor

    def part(self, which: slice) -> "CropParams":
        """Return the boxes of a part of the batch."""
        fields = (self.top, self.left, self.height, self.width, self.flip)
        return CropParams(*(field[which] for field in fields))


class CropFlip:
    """Random resized crop and horizontal flip (Inception crop, as in torchvision).

    Arguments:
        size: side of the result, in pixels.
        scale: lowest and highest share of the area, within (0, 1]; (1, 1) with `ratio` (1, 1)
            is a plain resize.
        ratio: lowest and highest aspect ratio (width / height).
        flip: probability of a horizontal flip.
        name: what its settings are called where they are wrong.

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
        scale, ratio = low_and_high(f"{name}.scale", scale), low_and_high(f"{name}.ratio", ratio)
        if not 0 < scale[0] <= scale[1] <= 1:
            raise InputError(f"{name}.scale: expected 0 < low <= high <= 1, got {list(scale)}")
        if not 0 < ratio[0] <= ratio[1]:
            raise InputError(f"{name}.ratio: expected 0 < low <= high, got {list(ratio)}")
        probability(f"{name}.flip", flip)
        self.size, self.scale, self.ratio, self.flip = size, scale, ratio, flip

    def sample(self, n: int, height: int, width: int, generator: torch.Generator) -> CropParams:
        """Draw n boxes in images of this height and width.

        As in torchvision: area uniform, aspect ratio log-uniform, ten tries to fit, else the
        largest centred box of an allowed ratio; sides in whole pixels.
        """
        tries = 10
        u = torch.rand(5, n, tries, generator=generator)
        area = height * width * (self.scale[0] + (self.scale[1] - self.scale[0]) * u[0])
        low, high = (math.log(r) for r in self.ratio)
        ratio = torch.exp(low + (high - low) * u[1])
        w, h = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
        fits = (w <= width) & (h <= height) & (w > 0) & (h > 0)
        first = fits.int().argmax(1, keepdim=True)
        w, h = (v.gather(1, first).squeeze(1) for v in (w, h))
        found = fits.any(1)
        fallback_w = min(width, round(height * self.ratio[1]))
        fallback_h = min(height, round(width / self.ratio[0]))
        w, h = w.where(found, w.new_tensor(fallback_w)), h.where(found, h.new_tensor(fallback_h))
        top, left = (u[2, :, 0] * (height - h + 1)).floor(), (u[3, :, 0] * (width - w + 1)).floor()
        top, left = top.clamp(max=height - 1), left.clamp(max=width - 1)
        top = top.where(found, ((height - h) / 2).floor())
        left = left.where(found, ((width - w) / 2).floor())
        return CropParams(top, left, h, w, u[4, :, 0] < self.flip)

    def frame(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of what comes out of images of this height and width."""
        return self.size, self.size

    def fits(self, height: int, width: int, setting: str = "encoder.size") -> None:
        """Make sure that images of this height and width are as large as what is made of them.

        Arguments:
            height, width: of the images, in pixels.
            setting: what users set the size of crops by.

        Raises:
            InputError: for images that would only be blown up.
        """
        if self.size > min(height, width):
            raise InputError(
                f"augment.size: expected at most {min(height, width)} pixels, the shorter side of "
                f"images of {width}x{height}, got {self.size}; set {setting}="
                f"{min(height, width)}, or data.size={self.size}"
            )

    def apply(self, images: Tensor, boxes: CropParams) -> Images:
        """Cut the boxes out of images of any type; float, [0, 1] for uint8, else as they are."""
        return assemble(images, lambda part, which: self._cut(as_float(part), boxes.part(which)))

    def _cut(self, x: Tensor, boxes: CropParams) -> Images:
        down = Lines(boxes.top, boxes.height, x.shape[2], self.size)
        across = Lines(boxes.left, boxes.width, x.shape[3], self.size)
        return resample(x, down, across, boxes.flip)

    def __call__(self, images: Tensor, generator: torch.Generator) -> Images:
        """Draw and apply."""
        n, _, height, width = images.shape
        return self.apply(images, self.sample(n, height, width, generator))


@dataclass(frozen=True)
class NoParams:
    """What is drawn where nothing is left to chance."""

    def part(self, which: slice) -> "NoParams":
        """Return the same."""
        return self


class Whole:
    """Images as they are, neither cut nor resized: for views that cut themselves.

    They stay in their own type. What is cut out of a batch of large images is a small part of it,
    and only that need be made float.
    """

    def sample(self, n: int, height: int, width: int, generator: torch.Generator) -> NoParams:
        """Draw nothing."""
        return NoParams()

    def frame(self, height: int, width: int) -> tuple[int, int]:
        """Return the same height and width."""
        return height, width

    def fits(self, height: int, width: int, setting: str = "") -> None:
        """Find nothing wrong with any size."""

    def apply(self, images: Tensor, boxes: NoParams) -> Tensor:
        """Return the same images."""
        return images

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return the same images."""
        return images


def resize(images: Tensor, size: int) -> Images:
    """Resize images, cut to their central square, of whole pixels; float, [0, 1] for uint8."""
    whole = CropFlip(size, scale=(1, 1), ratio=(1, 1), flip=0)
    n, (height, width) = len(images), images.shape[2:]
    side = min(height, width)
    zero, full = torch.zeros(n), torch.ones(n)
    top, left = full * ((height - side) // 2), full * ((width - side) // 2)
    return whole.apply(images, CropParams(top, left, full * side, full * side, zero.bool()))


def as_float(images: Tensor) -> Tensor:
    """Return images of any type as float: [0, 1] for uint8, else their own numbers."""
    if images.dtype == torch.uint8:
        return images / 255
    return images if images.is_floating_point() else images.to(torch.get_default_dtype())
