r"""Boxes cut out of a batch and resized: bilinear, antialiased where a box shrinks, no loop.

A resized crop is separable: `y = A_h x A_w^T` with one pair of interpolation matrices a sample, and
so a batch of them is two matrix products. Where no box can shrink, each pixel of y lies between
four of x, and one grid sample is the same for less.
"""

from dataclasses import dataclass, replace

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import grid_sample

from infomin.core.batching import sent
from infomin.core.shapes import Images

Resized = Float[Tensor, "b c o p"]
HALVES = (torch.float16, torch.bfloat16)
"""Of which grid samples on a CPU are wrong, or NaN (torch 2.15)."""


@dataclass(frozen=True)
class Lines:
    """Where the rows, or the columns, of a result lie in those of the images.

    Attributes:
        start, length: of the boxes, in pixels of the images.
        source: rows or columns of the images.
        size: of the result.
    """

    start: Float[Tensor, " b"]
    length: Float[Tensor, " b"]
    source: int
    size: int

    @property
    def centres(self) -> Float[Tensor, "b size"]:
        """Centres of the lines, in pixels; that of the first of the images is 0.5."""
        step = self.length / self.size
        lines = rearrange(torch.arange(self.size, device=self.start.device), "o -> 1 o") + 0.5
        return rearrange(self.start, "b -> b 1") + lines * rearrange(step, "b -> b 1")

    def on(self, device: torch.device) -> "Lines":
        """Return the same lines on a device: they are few, and what is made of them is not."""
        return replace(self, start=sent(self.start, device), length=sent(self.length, device))

    @property
    def same(self) -> bool:
        """Whether the result has the very lines of the images."""
        whole = (self.start == 0) & (self.length == self.source)
        return self.source == self.size and bool(whole.all())


def resample(x: Images, down: Lines, across: Lines, flip: Bool[Tensor, " b"]) -> Resized:
    """Return boxes, resized; pixels outside a box have no part in it, as if it were cut out first.

    Arguments:
        x: images, float.
        down, across: rows and columns of the result.
        flip: whether its columns are reversed.
    """
    if x.dtype in HALVES:
        return resample(x.float(), down, across, flip).to(x.dtype)
    flip = sent(flip, x.device)
    if down.same and across.same:
        return torch.where(rearrange(flip, "b -> b 1 1 1"), x.flip(3), x)
    down, across = down.on(x.device), across.on(x.device)
    if max(down.source, across.source) <= min(down.size, across.size):
        return _between_pixels(x, down, across, flip)
    return _averaged(x, down, across, flip)


def _averaged(x: Images, down: Lines, across: Lines, flip: Bool[Tensor, " b"]) -> Resized:
    rows, columns = _weights(down).to(x), _weights(across).to(x)
    columns = torch.where(rearrange(flip, "b -> b 1 1"), columns.flip(1), columns)
    c = x.shape[1]
    narrow = rearrange(x, "b c h w -> b (c h) w") @ columns.mT
    narrow = rearrange(narrow, "b (c h) p -> b h (c p)", c=c)
    return rearrange(rows @ narrow, "b o (c p) -> b c o p", c=c)


def _weights(lines: Lines) -> Float[Tensor, "b o s"]:
    """Weights of the images' lines for each of the result's, rows summing to 1.

    A triangle filter, widened where the box shrinks (antialiasing).
    """
    step = rearrange(lines.length / lines.size, "b -> b 1 1")
    begin = rearrange(lines.start, "b -> b 1 1")
    end = rearrange(lines.start + lines.length, "b -> b 1 1")
    pixel = rearrange(torch.arange(lines.source, device=begin.device), "s -> 1 1 s") + 0.5
    away = (pixel - rearrange(lines.centres, "b o -> b o 1")).abs()
    weight = (1 - away / step.clamp(min=1)).clamp(min=0)
    weight = weight * ((pixel > begin) & (pixel < end))
    return weight / weight.sum(-1, keepdim=True)


def _between_pixels(x: Images, down: Lines, across: Lines, flip: Bool[Tensor, " b"]) -> Resized:
    y, columns = _places(down), _places(across)
    columns = torch.where(rearrange(flip, "b -> b 1"), columns.flip(1), columns)
    places = torch.broadcast_tensors(
        rearrange(columns, "b w -> b 1 w"), rearrange(y, "b h -> b h 1")
    )
    grid = torch.stack(places, -1).to(x)
    return grid_sample(x, grid, align_corners=False)  # never beyond the centres of outer pixels


def _places(lines: Lines) -> Float[Tensor, "b o"]:
    """Centres of the lines, no farther out than that of a box's outermost pixel; within [-1, 1]."""
    first = (lines.start + 0.5).floor() + 0.5
    last = (lines.start + lines.length - 0.5).ceil() - 0.5
    inside = lines.centres.clamp(rearrange(first, "b -> b 1"), rearrange(last, "b -> b 1"))
    return 2 * inside / lines.source - 1
