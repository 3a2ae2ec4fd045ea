r"""Rotations, shears and translations of a batch: a matrix a sample, one grid sample for all.

`out(x, y) = in(M (x, y, 1))`, between pixels by bilinear interpolation. Pixels whose place lies
outside the image get a fill colour; those within half a pixel of its border have the value of the
border. That is Pillow's `transform`, which the paper's code calls (the oracle of the tests);
torchvision's tensors differ from it in pixels on the border only, which they blend with the fill.
"""

from collections.abc import Sequence
from math import pi

import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import grid_sample

from infomin.augment.resample import HALVES
from infomin.core.batching import sent
from infomin.core.shapes import Image

Shares = Float[Tensor, "*n"]
"""Of the largest rotation, shear or translation, within [-1, 1]."""
Matrices = Float[Tensor, "*n 2 3"]
"""From the places of pixels in the result to places in the image, both counted from the centre."""

# At level 10 (the paper's code, RandAugment.py, *_level_to_arg)
_DEGREES = 30.0
_SHEAR = 0.3  # pixels a pixel
_SHIFT = 0.45  # of the width, of the height


MOTIONS = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")


def matrices(motion: Int64[Tensor, "*n"], share: Shares, height: int, width: int) -> Matrices:
    """Return a matrix for each motion.

    Arguments:
        motion: which of MOTIONS, by index; what comes of another means nothing.
        share: of its largest amount.
        height, width: of the images, in pixels.
    """
    x, y = _SHEAR * width / 2, _SHEAR * height / 2  # the first row, or column, stays
    largest = [
        [[0, 0, 0], [0, 0, 0]],
        [[0, _SHEAR, y], [0, 0, 0]],
        [[0, 0, 0], [_SHEAR, 0, x]],
        [[0, 0, _SHIFT * width], [0, 0, 0]],
        [[0, 0, 0], [0, 0, _SHIFT * height]],
    ]
    moved = share.new_tensor(largest)[motion] * rearrange(share, "... -> ... 1 1")
    moved += torch.eye(2, 3, dtype=share.dtype)
    angle = share * (_DEGREES * pi / 180)  # anticlockwise, as one sees it
    sine, cosine, zero = angle.sin(), angle.cos(), torch.zeros_like(angle)
    turned = torch.stack([cosine, -sine, zero, sine, cosine, zero], -1)
    turns = rearrange(motion == MOTIONS.index("rotate"), "... -> ... 1 1")
    return torch.where(turns, rearrange(turned, "... (j k) -> ... j k", j=2), moved)


def warp(images: Image, to_source: Matrices, fill: Sequence[float]) -> Image:
    """Move images, each by its own matrix.

    Arguments:
        images: float.
        to_source: one matrix an image.
        fill: of places outside the image: one number, or one a channel.
    """
    if images.dtype in HALVES:
        return warp(images.float(), to_source, fill).to(images.dtype)
    height, width = images.shape[2:]
    y, x = (
        torch.arange(side, dtype=images.dtype, device=images.device) + (0.5 - side / 2)
        for side in (height, width)
    )
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    places = torch.stack([columns, rows, torch.ones_like(rows)], -1)  # h w 3
    half = sent(torch.tensor([width / 2, height / 2]).to(images.dtype), images.device)
    source = torch.einsum("h w k, n j k -> n h w j", places, to_source.to(images)) / half
    moved = grid_sample(images, source, padding_mode="border", align_corners=False)
    inside = ((source >= -1) & (source < 1)).all(-1).unsqueeze(1)
    outside = sent(torch.tensor(fill).to(images.dtype), images.device)
    return torch.where(inside, moved, rearrange(outside, "c -> 1 c 1 1"))
