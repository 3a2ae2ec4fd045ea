"""A generator as a function of NumPy arrays."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import rearrange

from infomin.core.errors import InputError
from infomin.export.transforms.views import ViewTransform
from infomin.generator import ViewGenerator


class NumpyViews:
    """Map images `h w c` or `n h w c` to a tuple of views, `h w c_i` or `n h w c_i`, float32.

    Arguments:
        generator: its folder, a name of `infomin.list_generators`, or a loaded generator.
        learned: `all`, or the indices of learned views from 0; the others are raw channels.
        table: whether to look 8-bit images up in the table of all colours; auto when possible.
    """

    def __init__(
        self,
        generator: str | Path | ViewGenerator,
        learned: str | Sequence[int] = "all",
        table: bool | str = "auto",
    ) -> None:
        self.views = ViewTransform(generator, learned, table)

    def __call__(self, images: Any) -> tuple[np.ndarray, ...]:
        """Return the views of images.

        Arguments:
            images: float or integers within the value range of g; uint8 for the range [0, 1].

        Raises:
            InputError: for images with other channels or another range than those of g.
        """
        if not isinstance(images, np.ndarray) or images.ndim not in (3, 4):
            got = images.shape if isinstance(images, np.ndarray) else type(images).__name__
            raise InputError(f"images: expected an array, h w c or n h w c, got {got}")
        if images.dtype.kind not in "buif":
            raise InputError(f"images: expected an array of numbers, got {images.dtype}")
        single = images.ndim == 3
        native = images.dtype.newbyteorder("=")
        images = np.require(
            images, native, ["C", "W"]
        )  # torch warns about read-only arrays, as PIL makes them
        x = torch.from_numpy(images[None] if single else images)
        views = self.views(rearrange(x, "n h w c -> n c h w"))
        arrays = [rearrange(v, "n c h w -> n h w c").numpy() for v in views]
        return tuple(v[0] if single else v for v in arrays)
