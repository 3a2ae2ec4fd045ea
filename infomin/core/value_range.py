"""The units of images: which values they take, and what their channels are called."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from infomin.core.errors import InputError

Range = tuple[float, float]
UNIT: Range = (0.0, 1.0)
RGB = ("R", "G", "B")
LETTERS = 64
"""Longest name of a channel."""
TOLERANCE = 1e-4
"""Share of a range that values may lie outside it: interpolation rounds."""


def ends(value_range: Sequence[float], option: str = "value_range") -> Range:
    """Return a value range as (low, high).

    Raises:
        InputError: unless these are two finite numbers, low < high.
    """
    given = list(value_range) if isinstance(value_range, Sequence) else []
    numbers = all(isinstance(v, int | float) and math.isfinite(v) for v in given)
    if len(given) != 2 or not numbers or not given[0] < given[1]:
        raise InputError(f"{option}: expected (low, high) with low < high, got {value_range}")
    return float(given[0]), float(given[1])


def names(
    given: Sequence[str] | None, channels: int, option: str = "channel_names"
) -> tuple[str, ...]:
    """Return one name a channel: those given, or R, G, B for three, else channel_0, ...

    Raises:
        InputError: for another number of names, or one that is long or cannot be printed.
    """
    if given is None:
        return RGB if channels == 3 else tuple(f"channel_{i}" for i in range(channels))
    if len(given) != channels:
        raise InputError(f"{option}: expected {channels} names, got {len(given)}")
    if not all(isinstance(n, str) and n.isprintable() and len(n) <= LETTERS for n in given):
        raise InputError(
            f"{option}: expected names of at most {LETTERS} printable characters, got {given!r}"
        )
    return tuple(given)


def within(images: Tensor, value_range: Range, taker: str) -> None:
    """Refuse images with values outside a range, or that are no numbers.

    Arguments:
        images: float.
        value_range: lowest and highest value, met up to `TOLERANCE`.
        taker: what takes these values only.

    Raises:
        InputError: telling the values found.
    """
    if not images.numel():
        return
    x = images.detach()
    # two reductions read them twice, but aminmax copies what is not contiguous, as crops are
    lowest, highest = torch.stack([x.amin(), x.amax()]).tolist()
    low, high = value_range
    slack = TOLERANCE * (high - low)
    if not (low - slack <= lowest and highest <= high + slack):  # so is NaN refused
        raise InputError(
            f"images: {taker} takes values within {list(value_range)}, got {lowest:g} to "
            f"{highest:g}; scale or clip the images to that range first"
        )
