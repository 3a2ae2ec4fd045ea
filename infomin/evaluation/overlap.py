"""How well two label maps agree: intersection over union of every class, and its mean.

All counts are exact. They are taken over the pixels of all frames together, as the field does, not
frame by frame.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Int64, Integer
from torch import Tensor

from infomin.core.errors import InputError
from infomin.data.frames import IGNORED


@dataclass(frozen=True)
class Overlap:
    """Agreement of guessed labels with the true ones, shares within [0, 1].

    Attributes:
        mean_iou: mean over the classes that are present in the truth.
        pixel_accuracy: share of the labelled pixels guessed right.
        iou: of every class; None for those that are not present.
    """

    mean_iou: float
    pixel_accuracy: float
    iou: tuple[float | None, ...]


def confusion(
    truth: Integer[Tensor, "*n"], guess: Integer[Tensor, "*n"], classes: int
) -> Int64[Tensor, "k k"]:
    """Return how many pixels of each class (rows) were guessed as which (columns).

    Arguments:
        truth: labels 0..k-1, or `IGNORED`.
        guess: labels 0..k-1.
        classes: k.
    """
    known = truth != IGNORED
    pairs = truth[known].long() * classes + guess[known].long()
    return torch.bincount(pairs, minlength=classes**2).view(classes, classes)


def overlap(counts: Int64[Tensor, "k k"]) -> Overlap:
    """Return the agreement that a confusion matrix tells of.

    A class that is guessed but never true is left out of the mean; its pixels are missing from
    those classes that they belong to.

    Raises:
        InputError: when no pixel has a label.
    """
    true, guessed, right = counts.sum(1), counts.sum(0), counts.diagonal()
    if not true.sum():
        raise InputError("labels: expected a pixel with a label, got none")
    iou = right.double() / (true + guessed - right).clamp(min=1)
    present = true > 0
    each = tuple(v if p else None for v, p in zip(iou.tolist(), present.tolist(), strict=True))
    accuracy = (right.sum().double() / true.sum()).item()
    return Overlap(iou[present].mean().item(), accuracy, each)


def constant(counts: Int64[Tensor, "k k"], label: int) -> Overlap:
    """Return what guessing one class everywhere would have agreed: chance."""
    everywhere = torch.zeros_like(counts)
    everywhere[:, label] = counts.sum(1)
    return overlap(everywhere)
