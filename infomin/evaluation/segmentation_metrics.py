"""Segmentation metrics: intersection over union of every class, its mean, and pixel accuracy.

Counts are exact and cover the pixels of all frames together, as is usual.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Int64, Integer
from torch import Tensor

from infomin.core.errors import InputError
from infomin.data.nyuv2 import IGNORED


@dataclass(frozen=True)
class SegmentationScores:
    """Agreement of predicted and true labels, shares within [0, 1].

    Attributes:
        mean_iou: mean over the classes that are present in the truth.
        pixel_accuracy: share of correctly predicted pixels among the labelled ones.
        iou: of every class; None for absent classes.
    """

    mean_iou: float
    pixel_accuracy: float
    iou: tuple[float | None, ...]


def confusion_matrix(
    truth: Integer[Tensor, "*n"], prediction: Integer[Tensor, "*n"], classes: int
) -> Int64[Tensor, "k k"]:
    """Return the number of pixels by true class (rows) and predicted class (columns).

    Arguments:
        truth: labels 0..k-1, or `IGNORED`.
        prediction: labels 0..k-1.
        classes: k.
    """
    known = truth != IGNORED
    pairs = truth[known].long() * classes + prediction[known].long()
    return torch.bincount(pairs, minlength=classes**2).view(classes, classes)


def segmentation_scores(counts: Int64[Tensor, "k k"]) -> SegmentationScores:
    """Return the scores of a confusion matrix.

    The mean leaves out classes that are predicted but never true. Their pixels count as errors of
    the true classes.

    Raises:
        InputError: if no pixel has a label.
    """
    true, predicted, correct = counts.sum(1), counts.sum(0), counts.diagonal()
    if not true.sum():
        raise InputError("labels: expected a pixel with a label, got none")
    iou = correct.double() / (true + predicted - correct).clamp(min=1)
    present = true > 0
    by_class = tuple(v if p else None for v, p in zip(iou.tolist(), present.tolist(), strict=True))
    accuracy = (correct.sum().double() / true.sum()).item()
    return SegmentationScores(iou[present].mean().item(), accuracy, by_class)


def constant_scores(counts: Int64[Tensor, "k k"], label: int) -> SegmentationScores:
    """Return the scores of predicting one class everywhere."""
    constant = torch.zeros_like(counts)
    constant[:, label] = counts.sum(1)
    return segmentation_scores(constant)
