r"""Rotation, shear and translation of a batch: one matrix per sample, one grid sample for all.

`out(x, y) = in(M (x, y, 1))` with bilinear interpolation. Positions outside the image get a fill
colour; positions within half a pixel of its border get the value of the border. Pixels equal those
of Pillow's `transform`, which the paper's code calls (the oracle of the tests). torchvision's
tensors differ from it on the border only, where they blend with the fill.
"""

from collections.abc import Sequence
from math import pi

import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import grid_sample

from infomin.augment.crop import HALF_PRECISION
from infomin.core.batching import to_device
from infomin.core.shapes import Image

Fractions = Float[Tensor, "*n"]
"""Fractions of the largest rotation, shear or translation, within [-1, 1]."""
Matrices = Float[Tensor, "*n 2 3"]
"""Maps from positions in the result to positions in the image, both relative to the centre."""

# At level 10 (the paper's code, RandAugment.py, *_level_to_arg)
_DEGREES = 30.0
_SHEAR = 0.3  # pixels per pixel
_SHIFT = 0.45  # of the width or height

GEOMETRIC = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")
"""Names of the geometric transforms."""


def affine_matrices(
    transform: Int64[Tensor, "*n"], fraction: Fractions, height: int, width: int
) -> Matrices:
    """Return one matrix per geometric transform.

    Arguments:
        transform: index in GEOMETRIC; the result of another index has no meaning.
        fraction: of the largest amount of the transform.
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
    """Transform float images, each by its own matrix.

    Positions outside an image get `fill`: one number, or one per channel.
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
