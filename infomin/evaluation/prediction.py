"""Errors of predicting views from one another on held-out images, against a constant."""

from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from infomin.augment import resize
from infomin.core.shapes import Image, Views
from infomin.training.predictive import Direction, Prediction


class DirectionError(NamedTuple):
    """Error of predicting one view from another, on held-out images.

    Attributes:
        source, view: numbers of the given and the predicted view; 1 is the first.
        error: training loss, L1 or L2, in the unit of the view or its square.
        constant: the same loss of a constant per channel: median (L1) or mean (L2).
    """

    source: int
    view: int
    error: float
    constant: float

    def __str__(self) -> str:
        return (
            f"view {self.view} from view {self.source} {self.error:.4f} "
            f"(a constant {self.constant:.4f})"
        )


@torch.no_grad()
def predict_views(
    learner: Prediction, images: Tensor, size: int
) -> tuple[Views, dict[Direction, Image]]:
    """Return the views of whole images, and the predictions of every direction.

    Arguments:
        learner: its modules are in evaluation mode meanwhile.
        images: `n c h w` of a data set, in their own type, on the device of the learner.
        size: side of the images that the encoders take.
    """
    for module in learner.modules.values():
        module.eval()
    views = learner.views(resize(images, size))
    predicted = learner.predict(views)
    for module in learner.modules.values():
        module.train()
    return views, predicted


def prediction_errors(
    learner: Prediction, images: Tensor, size: int, chunk: int = 512
) -> list[DirectionError]:
    """Return the error of every direction on whole images; see `predict_views`.

    The first `chunk` images give the constants.
    """
    errors: dict[Direction, float] = dict.fromkeys(learner.directions, 0.0)
    of_constants = dict.fromkeys(learner.directions, 0.0)
    constants: list[Tensor] = []
    for part in images.split(chunk):
        views, predicted = predict_views(learner, part, size)
        constants = constants or [_best_constant(view.float(), learner.name) for view in views]
        share = len(part) / len(images)
        for (i, j), prediction in predicted.items():
            target = views[j].float()
            errors[i, j] += share * learner.loss(prediction, target).item()
            constant = constants[j].expand_as(target)
            of_constants[i, j] += share * learner.loss(constant, target).item()
    return [DirectionError(i + 1, j + 1, e, of_constants[i, j]) for (i, j), e in errors.items()]


def _best_constant(view: Image, loss: str) -> Tensor:
    """Return the best constant of every channel, `1 c 1 1`."""
    pixels = rearrange(view, "b c h w -> c (b h w)")
    best = pixels.median(1).values if loss == "l1" else pixels.mean(1)
    return rearrange(best, "c -> 1 c 1 1")
