"""Procedural images with known factors, for tests: a coloured shape on a coloured ground.

Every factor is sampled independently and uniformly. The factors that two views share, and so their
mutual information, are known exactly.
"""

import math

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from infomin.core import rng
from infomin.core.errors import InputError
from infomin.data.images import DataSet, ImageSet
from infomin.data.reading import Counter, Progress, source

SHAPES = ("disk", "square", "cross")
FACTORS = ("shape", "shape_hue", "ground_hue", "row", "column")


@source
def scenes(
    size: int = 32,
    train: int = 1200,
    test: int = 600,
    hues: int = 8,
    places: int = 4,
    seed: int = 0,
    progress: Progress = None,
) -> DataSet:
    """Render random scenes. Their label is the shape; `ImageSet.factors` has all factors.

    Arguments:
        size: side in pixels.
        train, test: number of images.
        hues: number of hues of shape and ground.
        places: number of rows, and of columns, of places for the shape.
        seed: of all factors.
        progress: takes the number of images that are done, and of all.

    Raises:
        InputError: for a number below 1.
    """
    for name, value in (("size", size), ("train", train), ("hues", hues), ("places", places)):
        if value < 1:
            raise InputError(f"data.{name}: expected at least 1, got {value}")
    counter = Counter(progress, train + test)
    sets = []
    for split, n in (("train", train), ("test", test)):
        factors = draw_factors(n, hues, places, rng.generator(seed, "scenes", split))
        by_name = dict(zip(FACTORS, factors.unbind(1), strict=True))
        images = render(factors, size, hues, places)
        sets.append(ImageSet.of(images, factors[:, 0], by_name))
        counter.add(n)
    return DataSet("scenes", sets[0], sets[1], SHAPES)


def draw_factors(
    n: int, hues: int, places: int, generator: torch.Generator
) -> Int64[Tensor, "n f"]:
    """Sample the factors of n scenes, columns as in `FACTORS`."""
    limits = (len(SHAPES), hues, hues, places, places)
    return torch.stack([torch.randint(k, (n,), generator=generator) for k in limits], 1)


def render(
    factors: Int64[Tensor, "n f"], size: int, hues: int, places: int
) -> UInt8[Tensor, "n 3 h w"]:
    """Render scenes of given factors."""
    shape, shape_hue, ground_hue, row, column = factors.unbind(1)
    radius = size / 6
    span = size - 2 * radius
    y, x = ((v / max(places - 1, 1)) * span + radius for v in (row, column))
    grid = torch.arange(size) + 0.5
    dy = (grid[None, :, None] - y[:, None, None]).abs()
    dx = (grid[None, None, :] - x[:, None, None]).abs()
    masks = torch.stack(
        [
            dy**2 + dx**2 <= radius**2,
            torch.maximum(dy, dx) <= 0.9 * radius,
            (torch.minimum(dy, dx) <= 0.35 * radius) & (torch.maximum(dy, dx) <= radius),
        ]
    )
    mask = masks[shape, torch.arange(len(shape))][:, None]
    shapes, grounds = (_hue(h, hues)[:, :, None, None] for h in (shape_hue, ground_hue))
    return torch.where(mask, 0.3 + 0.7 * shapes, 0.6 * grounds).mul(255).round().to(torch.uint8)


def _hue(index: Int64[Tensor, " n"], hues: int) -> Float[Tensor, "n 3"]:
    """Return saturated colours, evenly spaced on the hue circle, in [0, 1]."""
    angle = 2 * math.pi * index / hues
    phases = torch.tensor([0.0, 2 * math.pi / 3, 4 * math.pi / 3])
    return 0.5 + 0.5 * torch.cos(angle[:, None] - phases)
