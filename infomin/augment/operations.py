r"""RandAugment's operations on pixel values, and its geometric transforms.

The first were defined on 8 bits. Our images are float in [0, 1], and stay in [0, 1]:

* operations that scale, invert or stretch values use the values as they are, without rounding;
* operations that depend on the 256 levels (equalize, posterize, solarize, solarize_add) use the
  nearest level; equalize and posterize also return levels;
* values outside [0, 1] (brightness, contrast, colour, sharpness above 1) are clipped, as 8 bits
  clip them: that is the definition of the operation.

On multiples of 1/255 all agree with torchvision and Pillow, the oracles of the tests, within 1/255.
An operation takes images and one number per sample, the fraction of the largest magnitude.
"""

from collections.abc import Sequence
from functools import cache
from math import pi

import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import grid_sample

from infomin.augment.color_jitter import (
    Amounts,
    Operation,
    brightness,
    contrast,
    per_image,
    saturation,
)
from infomin.augment.crop import HALF_PRECISION
from infomin.core.batching import to_device
from infomin.core.shapes import Image

Matrices = Float[Tensor, "*n 2 3"]
"""Maps from positions in the result to positions in the image, both relative to the centre."""

# At level 10 (the paper's code, RandAugment.py, *_level_to_arg)
_BITS = 4  # kept by posterize, fewer below level 10: the variant of EfficientNet on TPUs
_THRESHOLD = 256  # of solarize: no pixel is as bright at level 10
_ADDED = 110  # by solarize_add, to pixels below 128
_FACTORS = (0.1, 1.9)  # of brightness, contrast, colour and sharpness at level 0 and 10
_DEGREES = 30.0
_SHEAR = 0.3  # pixels per pixel
_SHIFT = 0.45  # of the width or height

GEOMETRIC = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")
"""Names of the geometric transforms."""


@cache
def pixel_operations() -> dict[str, Operation]:
    """Return the operations by name, batched; torchvision's or kornia's where they take a batch."""
    from kornia import enhance  # heavy
    from torchvision.transforms.v2 import functional as tv

    def factor(fraction: Amounts) -> Amounts:
        low, high = _FACTORS
        return low + (high - low) * fraction

    def autocontrast(x: Image, _: Amounts) -> Image:
        gray_images = rearrange(x, "n c h w -> (n c) 1 h w")  # torchvision takes 1 or 3 channels
        stretched = tv.autocontrast(gray_images)
        return rearrange(stretched, "(n c) 1 h w -> n c h w", n=len(x))

    def equalize(x: Image, _: Amounts) -> Image:
        return tv.equalize(_levels(x).byte()).to(x) / 255

    def posterize(x: Image, fraction: Amounts) -> Image:
        step = per_image((2 ** (8 - (_BITS * fraction).floor())).to(x))
        return (_levels(x) / step).floor() * step / 255

    def solarize(x: Image, fraction: Amounts) -> Image:
        threshold = (_THRESHOLD * fraction).floor()
        return enhance.solarize(x, (threshold - 0.5) / 255)

    def solarize_add(x: Image, fraction: Amounts) -> Image:
        added = per_image((_ADDED * fraction).floor() / 255)
        return x + added * (_levels(x) < 128)

    return {
        "identity": lambda x, _: x,
        "autocontrast": autocontrast,
        "equalize": equalize,
        "invert": lambda x, _: 1 - x,
        "posterize": posterize,
        "solarize": solarize,
        "solarize_add": solarize_add,
        "color": lambda x, fraction: saturation(x, factor(fraction)),
        "contrast": lambda x, fraction: contrast(x, factor(fraction)),
        "brightness": lambda x, fraction: brightness(x, factor(fraction)),
        "sharpness": lambda x, fraction: enhance.sharpness(x, factor(fraction)),
    }


def _levels(x: Image) -> Image:
    """Return the nearest of 256 levels, 0 to 255."""
    return (255 * x).round()


def affine_matrices(
    transform: Int64[Tensor, "*n"], fraction: Float[Tensor, "*n"], height: int, width: int
) -> Matrices:
    """Return one matrix per geometric transform.

    Arguments:
        transform: index in GEOMETRIC; the result of another index has no meaning.
        fraction: of the largest amount of the transform, within [-1, 1].
        height, width: of the images, in pixels.
    """
    x, y = _SHEAR * width / 2, _SHEAR * height / 2  # keeps the first row, or column, in place
    largest = [
        [[0, 0, 0], [0, 0, 0]],
        [[0, _SHEAR, y], [0, 0, 0]],
        [[0, 0, 0], [_SHEAR, 0, x]],
        [[0, 0, _SHIFT * width], [0, 0, 0]],
        [[0, 0, 0], [0, 0, _SHIFT * height]],
    ]
    linear = fraction.new_tensor(largest)[transform] * rearrange(fraction, "... -> ... 1 1")
    linear += torch.eye(2, 3, dtype=fraction.dtype)
    angle = fraction * (_DEGREES * pi / 180)  # anticlockwise on the screen
    sine, cosine, zero = angle.sin(), angle.cos(), torch.zeros_like(angle)
    rotation = torch.stack([cosine, -sine, zero, sine, cosine, zero], -1)
    is_rotation = rearrange(transform == GEOMETRIC.index("rotate"), "... -> ... 1 1")
    return torch.where(is_rotation, rearrange(rotation, "... (j k) -> ... j k", j=2), linear)


def warp(images: Image, matrices: Matrices, fill: Sequence[float]) -> Image:
    """Transform float images by `out(x, y) = in(M (x, y, 1))`, each by its own matrix M.

    Positions outside an image get `fill`, one number or one per channel. Positions within half a
    pixel of its border get the value of the border. Pixels equal those of Pillow's `transform`,
    which the paper's code calls. torchvision's tensors differ on the border only.
    """
    if images.dtype in HALF_PRECISION:
        return warp(images.float(), matrices, fill).to(images.dtype)
    height, width = images.shape[2:]
    y, x = (
        torch.arange(side, dtype=images.dtype, device=images.device) + (0.5 - side / 2)
        for side in (height, width)
    )
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    positions = torch.stack([columns, rows, torch.ones_like(rows)], -1)  # h w 3
    half = to_device(torch.tensor([width / 2, height / 2]).to(images.dtype), images.device)
    source = torch.einsum("h w k, n j k -> n h w j", positions, matrices.to(images)) / half
    warped = grid_sample(images, source, padding_mode="border", align_corners=False)
    inside = ((source >= -1) & (source < 1)).all(-1).unsqueeze(1)
    outside = to_device(torch.tensor(fill).to(images.dtype), images.device)
    return torch.where(inside, warped, rearrange(outside, "c -> 1 c 1 1"))
