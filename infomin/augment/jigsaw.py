r"""JigSaw: nine pieces of an image, shuffled (arXiv:1603.09246), as PIRL has them (1912.01991).

A resized crop and flip makes a square of 3 x 3 cells; of each cell a random piece is cut, so that
neighbours do not fit edge to edge, and the nine come in random order. Sizes are those of InfoMin's
code at 224 pixels (a square of 255, cells of 85, pieces of 64) in the same proportion. Values stay
as they are: the code changes no colours here, and any number of channels will do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor

from infomin.augment.crop import CropFlip, CropParams
from infomin.core.batching import sent
from infomin.core.errors import InputError, whole_number

GRID = 3
"""Cells of a side."""
_OF, _CELL, _PIECE = 224, 85, 64  # pixels (the paper's code, datasets/util.py)

Pieces = Float[Tensor, "b 9 c s s"]


@dataclass(frozen=True)
class JigSawParams:
    """How the pieces of each sample of a batch are cut, in the order in which they come.

    Attributes:
        boxes: of the squares.
        cell: where a piece comes from, row by row, 0 to 8.
        top, left: place of a piece in its cell, in pixels.
    """

    boxes: CropParams
    cell: Int64[Tensor, "n 9"]
    top: Int64[Tensor, "n 9"]
    left: Int64[Tensor, "n 9"]

    def part(self, which: slice) -> "JigSawParams":
        """Return the puzzles of a part of the batch."""
        cut = (self.cell, self.top, self.left)
        return JigSawParams(self.boxes.part(which), *(field[which] for field in cut))


class JigSaw:
    """Nine shuffled pieces of every image, drawn and applied as a `CropFlip`.

    Arguments:
        size: side of the images that the encoder takes otherwise, in pixels.
        scale: lowest and highest share of the area that the square shows, within (0, 1].
        flip: probability of a horizontal flip.
        cell: side of a cell, in pixels; None is 85/224 of `size`.
        piece: side of a piece, in pixels; None is 64/224 of `size`.

    Raises:
        InputError: for values outside these ranges, or pieces larger than their cells.
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
        self.cell = max(1, round(size * _CELL / _OF)) if cell is None else cell
        self.piece = max(1, round(size * _PIECE / _OF)) if piece is None else piece
        whole_number("jigsaw.piece", self.piece, 1)
        whole_number("jigsaw.cell", self.cell, 1)
        if self.piece > self.cell:
            raise InputError(
                f"jigsaw.piece: expected at most {self.cell} pixels, those of a cell, got "
                f"{self.piece}"
            )
        self.square = CropFlip(GRID * self.cell, scale, flip=flip, name="jigsaw")

    def fits(self, height: int, width: int) -> None:
        """Make sure that images of this height and width have the pixels of three pieces a side.

        Raises:
            InputError: for smaller ones.
        """
        needed = GRID * self.piece
        if min(height, width) < needed:
            raise InputError(
                f"jigsaw: expected images of at least {needed}x{needed} pixels, for 3 x 3 pieces "
                f"of {self.piece}, got {width}x{height}; set a larger data.size, or a smaller "
                "encoder.size"
            )

    def sample(self, n: int, height: int, width: int, generator: torch.Generator) -> JigSawParams:
        """Draw n puzzles in images of this height and width.

        Raises:
            InputError: see `fits`.
        """
        self.fits(height, width)
        boxes = self.square.sample(n, height, width, generator)
        order = torch.rand(n, GRID**2, generator=generator).argsort(1)
        places = torch.rand(2, n, GRID**2, generator=generator) * (self.cell - self.piece + 1)
        return JigSawParams(boxes, order, *places.long())

    def apply(self, images: Tensor, puzzle: JigSawParams) -> Pieces:
        """Cut pieces out of images of any type; float, [0, 1] for uint8, else as they are."""
        square = self.square.apply(images, puzzle.boxes)
        n, c, height, width = square.shape
        if n == 0:
            return square.new_empty(0, GRID**2, c, self.piece, self.piece)
        top = sent(self.cell * (puzzle.cell // GRID) + puzzle.top, square.device)
        left = sent(self.cell * (puzzle.cell % GRID) + puzzle.left, square.device)
        image, line = (torch.arange(k, device=square.device) for k in (n * c, self.piece))
        row = rearrange(image, "(b c) -> b 1 c 1", c=c) * height
        row = row + rearrange(top, "b k -> b k 1 1") + line
        start = row * width + rearrange(left, "b k -> b k 1 1")
        runs = square.flatten().unfold(0, self.piece, 1)  # of a piece's width, wherever they start
        return runs[start]

    def __call__(self, images: Tensor, generator: torch.Generator) -> tuple[Pieces, JigSawParams]:
        """Draw and apply; return the pieces, and how they were cut."""
        n, _, height, width = images.shape
        puzzle = self.sample(n, height, width, generator)
        return self.apply(images, puzzle), puzzle
