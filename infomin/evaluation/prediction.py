"""Errors of the pixels that the predictive baseline predicts, on held-out images."""

from typing import NamedTuple

import torch
from einops import rearrange
from torch import Tensor

from infomin.augment import resize
from infomin.core.shapes import Image, Views
from infomin.data.source import CHUNK, Source, as_source, in_chunks
from infomin.evaluation.features import device_of, evaluating
from infomin.methods.predictive import Direction, Predictive
from infomin.views import View


class PredictionError(NamedTuple):
    """The error of one direction on held-out images.

    Attributes:
        source, view: the view that was read and the view that was predicted, 1 the first.
        error: L1 or L2 as in training, in the unit of the view or its square.
        constant: the same error of one number per channel, the median or the mean.
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
def predict(
    method: Predictive, views: View, images: Tensor
) -> tuple[Views, dict[Direction, Image]]:
    """Return the views of whole images, and their pixels predicted from one another.

    Arguments:
        images: `n c h w`, in their own type, on the device of the method.
    """
    with evaluating(method):
        whole = views(resize(images, method.encoders.size))
        return whole, method.predict(dict(enumerate(whole)))


def prediction_errors(
    method: Predictive, views: View, images: Source | Tensor, chunk: int = CHUNK
) -> list[PredictionError]:
    """Return the error of every direction on whole images; see `predict`.

    The constant is fitted to the first `chunk` of the images.
    """
    errors: dict[Direction, float] = dict.fromkeys(method.directions, 0.0)
    constants = dict.fromkeys(method.directions, 0.0)
    guesses: list[Tensor] = []
    source = as_source(images)
    for part in in_chunks(source, device_of(method), chunk):
        whole, predicted = predict(method, views, part)
        guesses = guesses or [_constant(view.float(), method.name) for view in whole]
        share = len(part) / len(source)
        for (i, j), pixels in predicted.items():
            target = whole[j].float()
            errors[i, j] += share * method.error(pixels, target).item()
            constants[i, j] += share * method.error(guesses[j].expand_as(target), target).item()
    return [PredictionError(i + 1, j + 1, e, constants[i, j]) for (i, j), e in errors.items()]


def _constant(view: Image, loss: str) -> Tensor:
    """Return the best constant of every channel, `1 c 1 1`."""
    pixels = rearrange(view, "b c h w -> c (b h w)")
    best = pixels.median(1).values if loss == "l1" else pixels.mean(1)
    return rearrange(best, "c -> 1 c 1 1")
