"""For everybody else: NumPy arrays in, NumPy arrays out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange

from infomin.core.errors import InputError
from infomin.export.transforms.pixels import Pixels
from infomin.generator import ViewGenerator


class NumpyViews:
    """Images `h w c` or `n h w c` -> the tuple of their views, `h w c_i` or `n h w c_i`, float32.

    Arguments:
        generator: its folder.
        learned: the views that g makes, `all` or numbers; the others are raw channels.
        table: look 8-bit images up in the table of all colours; auto wherever that can be.
    """

    def __init__(
        self,
        generator: str | Path | ViewGenerator,
        learned: str | Sequence[int] = "all",
        table: bool | str = "auto",
    ) -> None:
        self.pixels = Pixels(generator, learned, table)

    def __call__(self, images: Any) -> tuple[np.ndarray, ...]:
        """Make the views.

        Arguments:
            images: an array; uint8 where the value range is [0, 1], uint8, uint16 or float within
                any other.

        Raises:
            InputError: for images that g was not learned on: other channels, another range.
        """
        if not isinstance(images, np.ndarray) or images.ndim not in (3, 4):
            got = images.shape if isinstance(images, np.ndarray) else type(images).__name__
            raise InputError(f"images: expected an array, h w c or n h w c, got {got}")
        if images.dtype.kind not in "buif":
            raise InputError(f"images: expected an array of numbers, got {images.dtype}")
        single = images.ndim == 3
        native = images.dtype.newbyteorder("=")
        images = np.require(images, native, ["C", "W"])  # PIL's cannot be written, torch objects
        x = torch.from_numpy(images[None] if single else images)
        made = self.pixels(rearrange(x, "n h w c -> n c h w"))
        views = [rearrange(v, "n c h w -> n h w c").numpy() for v in made]
        return tuple(v[0] if single else v for v in views)
