"""Channel groups: which channels of an image make which view."""

from collections.abc import Sequence

import torch

from infomin.core.errors import InputError, at_least
from infomin.core.shapes import Image, Images, Views

Groups = tuple[tuple[int, ...], ...]

MOST_CHANNELS = 1024
"""Colour spaces and mixings of C channels are matrices of C^2 numbers."""


def split(y: Images, groups: Groups) -> Views:
    """Split channels into views."""
    return tuple(y[:, list(group)] for group in groups)


def join(views: Sequence[Image], groups: Groups) -> Images:
    """Put views together again: what `split` took apart."""
    y = torch.cat(list(views), 1)
    return y[:, torch.tensor([i for group in groups for i in group]).argsort()]


def enough(channels: int) -> None:
    """Check a number of channels C.

    Raises:
        InputError: unless it is within 2 to `MOST_CHANNELS`.
    """
    at_least("channels", channels, 2)
    if channels > MOST_CHANNELS:
        raise InputError(f"channels: expected at most {MOST_CHANNELS}, got {channels}")


def view_names(view_channels: Sequence[int]) -> list[str]:
    """Return what a reader calls each channel of each view, view by view."""
    return [
        f"view {i}" + (f", channel {j}" if channels > 1 else "")
        for i, channels in enumerate(view_channels, 1)
        for j in range(1, channels + 1)
    ]


def partition(groups: Sequence[Sequence[int]] | None, channels: int) -> Groups:
    """Check a partition of C channels into views; None gives {0 | rest}.

    Raises:
        InputError: when a channel is missing, unknown or in two groups, or as `enough` does.
    """
    enough(channels)
    if groups is None:
        groups = ((0,), tuple(range(1, channels)))
    chosen = tuple(tuple(group) for group in groups)
    if (
        len(chosen) < 2
        or not all(chosen)
        or not all(type(i) is int for group in chosen for i in group)
        or sorted(i for group in chosen for i in group) != list(range(channels))
    ):
        raise InputError(
            f"groups: expected a partition of channels 0..{channels - 1} into two views or more, "
            f"such as [[0], {list(range(1, channels))}], got {[list(group) for group in chosen]}"
        )
    return chosen
