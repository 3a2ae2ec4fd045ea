"""Masks of missing views, where sensors lack some samples.

A mask has a row per sample and a column per view. None instead of a mask says that nothing is
missing. Masks stay on the CPU, as indices do.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from infomin.core.errors import InputError

ViewMask = Bool[Tensor, "n m"]
FEWEST = 2
"""Samples that a contrast needs, and batch statistics."""


def mask_of_views(
    mask: ViewMask, groups: Sequence[Sequence[int]], sources: Sequence[Sequence[int]]
) -> Bool[Tensor, "n v"]:
    """Return the mask of views made of channels of sensors; each view needs all its sensors.

    Arguments:
        mask: of the sensors.
        groups: channels of every sensor.
        sources: channels that every view is made of.
    """
    needed = [[i for i, group in enumerate(groups) if {*group} & {*view}] for view in sources]
    return torch.stack([mask[:, sensors].all(1) for sensors in needed], 1)


def having(mask: ViewMask | None, n: int, *views: int) -> Bool[Tensor, " n"]:
    """Return which of n samples have all of some views."""
    return torch.ones(n, dtype=torch.bool) if mask is None else mask[:, list(views)].all(1)


def count(mask: ViewMask) -> dict[str, Any]:
    """Return the numbers of samples, of samples with each view, with two or more, and with all."""
    several = mask.sum(1) >= FEWEST
    return {
        "samples": len(mask),
        "views": mask.sum(0).tolist(),
        "several": int(several.sum()),
        "all": int(mask.all(1).sum()),
    }


def check_complete(mask: ViewMask | None, name: str, purpose: str) -> None:
    """Raise an InputError when a sample lacks a view."""
    if mask is not None:
        counts = count(mask)
        raise InputError(
            f"{name}: {purpose} needs every view of every sample, "
            f"{counts['samples'] - counts['all']} of {counts['samples']} lack some; leave those out"
        )
