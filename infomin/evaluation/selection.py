"""Which generator of a game is best? Judge those kept along it, with labels that it may see.

I_NCE alone cannot tell the sweet spot: it falls for as long as the game is played. So each
generator makes views for a short pretraining of new encoders, and a linear probe on the images
whose labels the game was allowed to see says what these encoders know of the task. Every such
image is held out once; test images are never looked at.

A few hundred labels hardly tell generators apart, and the highest of several accuracies is partly
luck. So the last generator stays, unless another leads it by more than chance.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int64
from lightning_fabric import Fabric
from scipy.stats import t
from torch import Tensor

from infomin.augment import CropFlip
from infomin.core import rng
from infomin.core.errors import InputError
from infomin.data import Batches, ImageSet, ViewLoader
from infomin.evaluation.features import extract
from infomin.evaluation.linear_probe import linear_probe
from infomin.methods import Context
from infomin.methods.cmc import CMC
from infomin.models import Encoders
from infomin.training.trainer import PretrainSettings, Trainer
from infomin.views import View

LEVEL = 0.05
"""Of the test that a generator has to pass to be preferred to the last."""


@dataclass(frozen=True)
class Candidate:
    """A generator as it was at a step, and what the labels say of it.

    Attributes:
        step: of the game, steps done.
        folds: accuracies of linear probes, shares within [0, 1], on the parts that were held out,
            the same parts for all candidates.
        i_nce: of the new encoders in the last steps of their pretraining, nats.
    """

    step: int
    folds: tuple[float, ...]
    i_nce: float

    @property
    def accuracy(self) -> float:
        """Cross-validated."""
        return statistics.mean(self.folds)

    def __str__(self) -> str:
        return (
            f"after {self.step} steps, {self.accuracy:.1%} on labels held out, "
            f"I_NCE {self.i_nce:.2f} nats"
        )


def preferred(tried: Sequence[Candidate]) -> int:
    """Return the place of the generator that the labels prefer.

    The last one, unless others lead it at a level of 5 %, shared by all of them (Bonferroni); then
    the highest of these.

    Arguments:
        tried: in order of time.
    """
    *earlier, last = tried
    ahead = [i for i, c in enumerate(earlier) if by_chance(c, last) < LEVEL / len(earlier)]
    return max(ahead, key=lambda i: tried[i].accuracy, default=len(earlier))


def compared(tried: Sequence[Candidate], place: int) -> str:
    """Say what a preferred generator gained over the last, or why it is the last."""
    last = tried[-1]
    top = tried[place] if place < len(tried) - 1 else max(tried, key=lambda c: c.accuracy)
    if top.accuracy <= last.accuracy:
        return "the last, which the labels prefer"
    lead = f"{100 * (top.accuracy - last.accuracy):.1f} points"
    p = f"p = {by_chance(top, last):.2g}"
    if top is tried[place]:
        return f"{lead} more than the last, {p}"
    return f"the last; {lead} less than after {top.step} steps, which may be chance, {p}"


def by_chance(candidate: Candidate, other: Candidate) -> float:
    """Return how likely chance alone makes such a lead over another candidate, or a larger one.

    One-sided t-test over the parts held out, whose training sets overlap (Nadeau & Bengio 2003,
    Inference for the Generalization Error, section 3.2: the corrected resampled t-test).
    """
    lead = [a - b for a, b in zip(candidate.folds, other.folds, strict=True)]
    k, mean, deviation = len(lead), statistics.mean(lead), statistics.stdev(lead)
    if deviation == 0:
        return float(mean <= 0)
    error = deviation * math.sqrt(1 / k + 1 / (k - 1))  # of k parts, one is tested, k - 1 trained
    return float(t.sf(mean / error, k - 1))


def along(steps: int, keep: int) -> list[int]:
    """Return the steps of a game after which generators are kept: `keep` of them, the last too.

    Raises:
        InputError: for more of them than steps, or less than none.
    """
    if not 0 <= keep <= steps:
        raise InputError(f"keep: expected 0..{steps} generators along the game, got {keep}")
    return [round(steps * (i + 1) / keep) for i in range(keep)]


def try_views(
    views: View,
    encoders: Encoders,
    images: ImageSet,
    labelled: Int64[Tensor, " m"],
    augment: CropFlip,
    settings: PretrainSettings,
    folds: int,
    fabric: Fabric,
) -> tuple[tuple[float, ...], float]:
    """Pretrain new encoders on views; return accuracies of all folds, and I_NCE.

    Arguments:
        views: of a frozen generator.
        encoders: not yet trained.
        images: of training; all of them are contrasted.
        labelled: indices of those whose label may be seen.
        augment: cuts the crops, of the size that the encoders take.
        settings: of a short pretraining.
        folds: of the cross-validation.
        fabric: device, precision.
    """
    numbers = images.images.to(fabric.device)
    batches = Batches(len(images), settings.batch, settings.seed, "pretrain", "game.batch")
    method = CMC(encoders, Context(len(images), settings.batch, settings.temperature))
    loader = ViewLoader(numbers, batches, augment, views, method.views)
    trainer = Trainer(method, loader, partial(torch.optim.AdamW, lr=2e-3), settings, fabric)
    values = [metrics["i_nce"] for metrics in trainer]
    known = images.part(labelled.to(images.labels.device))
    features = extract(views, encoders, known.images, augment.size)
    accuracies = cross_validated(features, known.labels.cpu(), folds, settings.seed)
    return accuracies, statistics.mean(values[-max(1, len(values) // 10) :])


def cross_validated(
    features: Float[Tensor, "n d"], labels: Int64[Tensor, " n"], folds: int, seed: int = 0
) -> tuple[float, ...]:
    """Return the accuracies of linear probes on the samples that each was not fitted to.

    Raises:
        InputError: for fewer than two folds, or more of them than samples.
    """
    if not 2 <= folds <= len(labels):
        raise InputError(f"selection.folds: expected 2..{len(labels)}, got {folds}")
    order = torch.randperm(len(labels), generator=rng.generator(seed, "folds"))
    accuracies = []
    for held in order.tensor_split(folds):
        rest = torch.ones(len(labels), dtype=torch.bool)
        rest[held] = False
        fitted = linear_probe(features[rest], labels[rest], features[held], labels[held], seed=seed)
        accuracies.append(fitted.test)
    return tuple(accuracies)
