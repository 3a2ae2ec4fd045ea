"""Which generator of a game is best? Judge those kept along it, with labels that it may see.

I_NCE alone cannot tell the sweet spot: it falls for as long as the game is played. So each
generator makes views for a short pretraining of new encoders, and a linear probe on the images
whose labels the game was allowed to see says what these encoders know of the task. Every such
image is held out once; test images are never looked at.
"""

import statistics
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int64
from lightning_fabric import Fabric
from torch import Tensor

from infomin import rng
from infomin.augment import CropFlip
from infomin.data import ImageSet
from infomin.encoders import Towers
from infomin.errors import InputError
from infomin.evaluation.features import extract
from infomin.evaluation.linear_probe import linear_probe
from infomin.training.contrastive import ContrastiveSettings, Pretraining
from infomin.views import View


@dataclass(frozen=True)
class Candidate:
    """A generator as it was at a step, and what the labels say of it.

    Attributes:
        step: of the game, steps done.
        accuracy: cross-validated, of a linear probe; a share within [0, 1].
        i_nce: of the new encoders in the last steps of their pretraining, nats.
    """

    step: int
    accuracy: float
    i_nce: float

    @property
    def order(self) -> tuple[float, int]:
        """What the labels prefer comes last; of equals, the later."""
        return self.accuracy, self.step

    def __str__(self) -> str:
        return (
            f"after {self.step} steps, {self.accuracy:.1%} on labels held out, "
            f"I_NCE {self.i_nce:.2f} nats"
        )


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
    towers: Towers,
    images: ImageSet,
    labelled: Int64[Tensor, " m"],
    augment: CropFlip,
    settings: ContrastiveSettings,
    folds: int,
    fabric: Fabric,
) -> tuple[float, float]:
    """Pretrain new encoders on views; return their cross-validated accuracy and I_NCE.

    Arguments:
        views: of a frozen generator.
        towers: not yet trained.
        images: of training; all of them are contrasted.
        labelled: indices of those whose label may be seen.
        augment: cuts the crops, of the size that the towers take.
        settings: of a short pretraining.
        folds: of the cross-validation.
        fabric: device, precision.
    """
    optimizer = partial(torch.optim.AdamW, lr=2e-3)
    learner = Pretraining(views, towers, images.images, augment, optimizer, settings, fabric)
    values = [metrics["i_nce"] for metrics in learner]
    known = images.part(labelled.to(images.labels.device))
    features = extract(views, towers, known.images, augment.size)
    accuracy = cross_validated(features, known.labels.cpu(), folds, settings.seed)
    return accuracy, statistics.mean(values[-max(1, len(values) // 10) :])


def cross_validated(
    features: Float[Tensor, "n d"], labels: Int64[Tensor, " n"], folds: int, seed: int = 0
) -> float:
    """Return the accuracy of linear probes on samples that they were not fitted to.

    Raises:
        InputError: for fewer than two folds, or more of them than samples.
    """
    if not 2 <= folds <= len(labels):
        raise InputError(f"selection.folds: expected 2..{len(labels)}, got {folds}")
    order = torch.randperm(len(labels), generator=rng.generator(seed, "folds"))
    hits = 0.0
    for held in order.chunk(folds):
        rest = torch.ones(len(labels), dtype=torch.bool)
        rest[held] = False
        fitted = linear_probe(features[rest], labels[rest], features[held], labels[held], seed=seed)
        hits += fitted.test * len(held)
    return hits / len(labels)
