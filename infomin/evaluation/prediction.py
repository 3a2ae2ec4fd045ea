"""How well views are told from one another on held-out images, and how well without looking."""

from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from infomin.augment import resize
from infomin.core.shapes import Image, Views
from infomin.training.predictive import Direction, Prediction


class Foretold(NamedTuple):
    """One direction on held-out images.

    Attributes:
        source, view: which view was predicted from which, 1 the first.
        error: that of training, L1 or L2, in the units of the view or their square.
        constant: the same of one number a channel, the median or the mean of some of the images.
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
def foretell(
    learner: Prediction, images: Tensor, size: int
) -> tuple[Views, dict[Direction, Image]]:
    """Return the views of whole images, and what is told of them from one another.

    Arguments:
        learner: put into evaluation mode for the time, then back.
        images: `n c h w`, of a data set, in its own type, on the device of the learner.
        size: side that the encoders expect.
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
) -> list[Foretold]:
    """Return the error of every direction on whole images; see `foretell`.

    The constant is taken from the first `chunk` of the images.
    """
    errors: dict[Direction, float] = dict.fromkeys(learner.directions, 0.0)
    constants = dict.fromkeys(learner.directions, 0.0)
    guesses: list[Tensor] = []
    for part in images.split(chunk):
        views, predicted = foretell(learner, part, size)
        guesses = guesses or [_guess(view.float(), learner.name) for view in views]
        share = len(part) / len(images)
        for (i, j), p in predicted.items():
            target = views[j].float()
            errors[i, j] += share * learner.loss(p, target).item()
            constants[i, j] += share * learner.loss(guesses[j].expand_as(target), target).item()
    return [Foretold(i + 1, j + 1, e, constants[i, j]) for (i, j), e in errors.items()]


def _guess(view: Image, loss: str) -> Tensor:
    """Return the best constant of every channel, `1 c 1 1`."""
    pixels = rearrange(view, "b c h w -> c (b h w)")
    best = pixels.median(1).values if loss == "l1" else pixels.mean(1)
    return rearrange(best, "c -> 1 c 1 1")
