r"""JigSaw: nine shuffled patches of an image (arXiv:1603.09246), as in PIRL (arXiv:1912.01991).

A resized crop and flip gives a square of 3 x 3 cells. One patch is cut at a random place of each
cell, so neighbours do not fit edge to edge, and the nine patches are shuffled. Sizes are those of
InfoMin's code at 224 px (square 255, cells 85, patches 64) in the same proportion. As in the code,
colours are not changed; images can have any number of channels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor

from infomin.augment.crop import CropFlip, CropParams
from infomin.core.batching import Params, to_device
from infomin.core.errors import InputError, whole_number

GRID = 3
"""Cells per side."""
_SIZE, _CELL, _PATCH = 224, 85, 64  # pixels (the paper's code, datasets/util.py)

Patches = Float[Tensor, "b 9 c s s"]


@dataclass(frozen=True)
class JigSawParams(Params):
    """Sampled square and patches, in their shuffled order.

    Attributes:
        crop: boxes of the squares.
        cell: index of each patch's cell, row by row, 0 to 8.
        top, left: position of each patch in its cell, in pixels.
    """

    crop: CropParams
    cell: Int64[Tensor, "n 9"]
    top: Int64[Tensor, "n 9"]
    left: Int64[Tensor, "n 9"]


class JigSaw:
    """Nine shuffled patches of every image, sampled and applied as an `Augmentation`.

    Arguments:
        size: side of the encoder's whole images, in pixels.
        scale: lowest and highest fraction of the area that the square shows, within (0, 1].
        flip: probability of a horizontal flip.
        cell: side of a cell, in pixels; None is 85/224 of `size`.
        piece: side of a patch, in pixels; None is 64/224 of `size`.

    Raises:
        InputError: for values outside these ranges, or patches larger than their cells.
    """

    def __init__(
        self,
        size: int,
        scale: Sequence[float] = (0.6, 1.0),
        flip: float = 0.5,
        cell: int | None = None,
        piece: int | None = None,
    ) -> None:
        whole_number("jigsaw.size", size, 1)
        self.cell = max(1, round(size * _CELL / _SIZE)) if cell is None else cell
        self.piece = max(1, round(size * _PATCH / _SIZE)) if piece is None else piece
        whole_number("jigsaw.piece", self.piece, 1)
        whole_number("jigsaw.cell", self.cell, 1)
        if self.piece > self.cell:
            raise InputError(
                f"jigsaw.piece: expected at most {self.cell} pixels, the side of a cell, got "
                f"{self.piece}"
            )
        self.square = CropFlip(GRID * self.cell, scale, flip=flip, name="jigsaw")

    def check_size(self, height: int, width: int) -> None:
        """Check that images of this height and width have at least three patches a side.

        Raises:
            InputError: for smaller images.
        """
        needed = GRID * self.piece
        if min(height, width) < needed:
            raise InputError(
                f"jigsaw: expected images of at least {needed}x{needed} pixels, for 3 x 3 patches "
                f"of {self.piece}, got {width}x{height}; set a larger data.size, or a smaller "
                "encoder.size"
            )

    def sample(self, n: int, height: int, width: int, generator: torch.Generator) -> JigSawParams:
        """Sample the patches of n images of this height and width."""
        self.check_size(height, width)
        crop = self.square.sample(n, height, width, generator)
        order = torch.rand(n, GRID**2, generator=generator).argsort(1)
        place = torch.rand(2, n, GRID**2, generator=generator) * (self.cell - self.piece + 1)
        return JigSawParams(crop, order, *place.long())

    def apply(self, images: Tensor, params: JigSawParams) -> Patches:
        """Cut patches from images of any type; float, in [0, 1] for uint8, else in their units."""
        square = self.square.apply(images, params.crop)
        n, c, height, width = square.shape
        if n == 0:
            return square.new_empty(0, GRID**2, c, self.piece, self.piece)
        top = to_device(self.cell * (params.cell // GRID) + params.top, square.device)
        left = to_device(self.cell * (params.cell % GRID) + params.left, square.device)
        channel, line = (torch.arange(k, device=square.device) for k in (n * c, self.piece))
        row = rearrange(channel, "(b c) -> b 1 c 1", c=c) * height
        row = row + rearrange(top, "b k -> b k 1 1") + line
        start = row * width + rearrange(left, "b k -> b k 1 1")
        lines = square.flatten().unfold(0, self.piece, 1)  # all runs of a patch's width
        return lines[start]

    def __call__(self, images: Tensor, generator: torch.Generator) -> tuple[Patches, JigSawParams]:
        """Sample and apply; return the patches and their parameters."""
        n, _, height, width = images.shape
        params = self.sample(n, height, width, generator)
        return self.apply(images, params), params
