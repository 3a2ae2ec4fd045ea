r"""Rotations, shears and translations of a batch: a matrix a sample, one grid sample for all.

`out(x, y) = in(M (x, y, 1))`, between pixels by bilinear interpolation. Pixels whose place lies
outside the image get a fill colour; those within half a pixel of its border have the value of the
border. That is Pillow's `transform`, which the paper's code calls (the oracle of the tests);
torchvision's tensors differ from it in pixels on the border only, which they blend with the fill.
"""

from collections.abc import Callable, Sequence
from math import pi

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import grid_sample

from infomin.augment.resample import HALVES
from infomin.shapes import Image

Shares = Float[Tensor, " n"]
"""Of the largest rotation, shear or translation, within [-1, 1]."""
Matrices = Float[Tensor, "n 2 3"]
"""From the places of pixels in the result to places in the image, both counted from the centre."""

# At level 10 (the paper's code, RandAugment.py, *_level_to_arg)
_DEGREES = 30.0
_SHEAR = 0.3  # pixels a pixel
_SHIFT = 0.45  # of the width, of the height


def _rotate(share: Shares, height: int, width: int) -> list[list[Tensor]]:
    angle = share * (_DEGREES * pi / 180)  # anticlockwise, as one sees it
    sine, cosine, zero = angle.sin(), angle.cos(), torch.zeros_like(angle)
    return [[cosine, -sine, zero], [sine, cosine, zero]]


def _shear_x(share: Shares, height: int, width: int) -> list[list[Tensor]]:
    one, zero, factor = torch.ones_like(share), torch.zeros_like(share), _SHEAR * share
    return [[one, factor, factor * height / 2], [zero, one, zero]]  # the uppermost row stays


def _shear_y(share: Shares, height: int, width: int) -> list[list[Tensor]]:
    one, zero, factor = torch.ones_like(share), torch.zeros_like(share), _SHEAR * share
    return [[one, zero, zero], [factor, one, factor * width / 2]]


def _translate_x(share: Shares, height: int, width: int) -> list[list[Tensor]]:
    one, zero = torch.ones_like(share), torch.zeros_like(share)
    return [[one, zero, _SHIFT * width * share], [zero, one, zero]]


def _translate_y(share: Shares, height: int, width: int) -> list[list[Tensor]]:
    one, zero = torch.ones_like(share), torch.zeros_like(share)
    return [[one, zero, zero], [zero, one, _SHIFT * height * share]]


MOTIONS: dict[str, Callable[[Shares, int, int], list[list[Tensor]]]] = {
    "rotate": _rotate,
    "shear_x": _shear_x,
    "shear_y": _shear_y,
    "translate_x": _translate_x,
    "translate_y": _translate_y,
}


def matrices(name: str, share: Shares, height: int, width: int) -> Matrices:
    """Return the matrices of one of MOTIONS, by shares of its largest amount."""
    rows = MOTIONS[name](share, height, width)
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


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
    half = images.new_tensor([width / 2, height / 2])
    source = torch.einsum("h w k, n j k -> n h w j", places, to_source.to(images)) / half
    moved = grid_sample(images, source, padding_mode="border", align_corners=False)
    inside = ((source >= -1) & (source < 1)).all(-1).unsqueeze(1)
    return torch.where(inside, moved, images.new_tensor(fill).view(1, -1, 1, 1))
