"""The value range of images, and the names of their channels."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from infomin.core.errors import InputError

ValueRange = tuple[float, float]
UNIT: ValueRange = (0.0, 1.0)
RGB = ("R", "G", "B")
LONGEST_NAME = 64
"""Characters of a channel name, at most."""
TOLERANCE = 1e-4
"""Fraction of a range that values may exceed it by: interpolation rounds."""


def parse_range(value_range: Sequence[float], option: str = "value_range") -> ValueRange:
    """Return a value range as (low, high).

    Raises:
        InputError: unless these are two finite numbers with low < high.
    """
    given = list(value_range) if isinstance(value_range, Sequence) else []
    numbers = all(isinstance(v, int | float) and math.isfinite(v) for v in given)
    if len(given) != 2 or not numbers or not given[0] < given[1]:
        raise InputError(f"{option}: expected (low, high) with low < high, got {value_range}")
    return float(given[0]), float(given[1])


def color_name(color: str, channel_names: Sequence[str]) -> str:
    """Return the name of a colour space; that of untransformed channels is `rgb` for R, G, B only.

    Others are called `channels`.
    """
    return "channels" if color == "rgb" and tuple(channel_names) != RGB else color


def parse_channel_names(
    names: Sequence[str] | None, channels: int, option: str = "channel_names"
) -> tuple[str, ...]:
    """Return one name per channel; None gives R, G, B for 3 channels, else channel_0, ...

    Raises:
        InputError: for another number of names, or a name that is too long or not printable.
    """
    if names is None:
        return RGB if channels == 3 else tuple(f"channel_{i}" for i in range(channels))
    if len(names) != channels:
        raise InputError(f"{option}: expected {channels} names, got {len(names)}")
    if not all(isinstance(n, str) and n.isprintable() and len(n) <= LONGEST_NAME for n in names):
        raise InputError(
            f"{option}: expected names of at most {LONGEST_NAME} printable characters, "
            f"got {names!r}"
        )
    return tuple(names)


def check_range(images: Tensor, value_range: ValueRange, consumer: str) -> None:
    """Check that all values of float images lie in a value range, up to `TOLERANCE`.

    Arguments:
        images: float.
        value_range: lowest and highest value.
        consumer: the object that needs this range, as the error names it.

    Raises:
        InputError: for values outside the range, or NaN.
    """
    if not images.numel():
        return
    x = images.detach()
    # aminmax would copy images that are not contiguous, as crops are
    lowest, highest = torch.stack([x.amin(), x.amax()]).tolist()
    low, high = value_range
    slack = TOLERANCE * (high - low)
    if not (low - slack <= lowest and highest <= high + slack):  # true for NaN too
        raise InputError(
            f"images: {consumer} takes values within {list(value_range)}, got {lowest:g} to "
            f"{highest:g}; scale or clip the images to that range first"
        )
