"""Channel groups: the partition of an image's channels into views."""

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
    """Undo `split`."""
    y = torch.cat(list(views), 1)
    return y[:, torch.tensor([i for group in groups for i in group]).argsort()]


def check_channels(channels: int) -> None:
    """Check a number of channels C.

    Raises:
        InputError: unless C is within 2 to `MOST_CHANNELS`.
    """
    at_least("channels", channels, 2)
    if channels > MOST_CHANNELS:
        raise InputError(f"channels: expected at most {MOST_CHANNELS}, got {channels}")


def view_names(view_channels: Sequence[int]) -> list[str]:
    """Return the label of each channel of each view, view by view."""
    return [
        f"view {i}" + (f", channel {j}" if channels > 1 else "")
        for i, channels in enumerate(view_channels, 1)
        for j in range(1, channels + 1)
    ]


def partition(groups: Sequence[Sequence[int]] | None, channels: int) -> Groups:
    """Check a partition of C channels into views; None gives {0 | rest}.

    Raises:
        InputError: for a missing, unknown or repeated channel, or as `check_channels`.
    """
    check_channels(channels)
    if groups is None:
        groups = ((0,), tuple(range(1, channels)))
    checked = tuple(tuple(group) for group in groups)
    if (
        len(checked) < 2
        or not all(checked)
        or not all(type(i) is int for group in checked for i in group)
        or sorted(i for group in checked for i in group) != list(range(channels))
    ):
        raise InputError(
            f"groups: expected a partition of channels 0..{channels - 1} into two views or more, "
            f"such as [[0], {list(range(1, channels))}], got {[list(group) for group in checked]}"
        )
    return checked
