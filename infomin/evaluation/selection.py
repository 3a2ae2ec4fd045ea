"""Selection among the generators saved during a game, with the labels that the game may use.

I_NCE alone cannot find the sweet spot, because it falls throughout the game. Therefore each
generator makes the views of a short pretraining of new encoders. A cross-validated linear probe on
the labelled training images measures what these encoders know of the task. Test images are not
used.

A few hundred labels hardly separate generators, and the highest of several accuracies is partly
luck. So the last generator is selected unless another is significantly better.
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
"""Significance level of the test that an earlier generator has to pass."""


@dataclass(frozen=True)
class Candidate:
    """The scores of a generator saved during a game.

    Attributes:
        step: number of steps of the game.
        folds: accuracies of linear probes on the held-out folds, shares within [0, 1]; all
            candidates have the same folds.
        i_nce: of the new encoders in the last steps of their pretraining, nats.
    """

    step: int
    folds: tuple[float, ...]
    i_nce: float

    @property
    def accuracy(self) -> float:
        """Mean accuracy of the folds."""
        return statistics.mean(self.folds)

    def __str__(self) -> str:
        return (
            f"after {self.step} steps, {self.accuracy:.1%} on held-out labels, "
            f"I_NCE {self.i_nce:.2f} nats"
        )


def select_candidate(candidates: Sequence[Candidate]) -> int:
    """Return the index of the selected generator.

    It is the most accurate of those that are better than the last one at a level of 5 %, with
    Bonferroni's correction. Without any it is the last one. Candidates are in order of time.
    """
    *earlier, last = candidates
    better = [i for i, c in enumerate(earlier) if p_value(c, last) < LEVEL / len(earlier)]
    return max(better, key=lambda i: candidates[i].accuracy, default=len(earlier))


def explain_selection(candidates: Sequence[Candidate], index: int) -> str:
    """Return the gain of the selected generator over the last, or why the last is selected."""
    last = candidates[-1]
    selected = candidates[index]
    top = max(candidates, key=lambda c: c.accuracy) if selected is last else selected
    if top.accuracy <= last.accuracy:
        return "the last, which is the most accurate"
    gain = f"{100 * (top.accuracy - last.accuracy):.1f} points"
    p = f"p = {p_value(top, last):.2g}"
    if top is selected:
        return f"{gain} more than the last, {p}"
    return f"the last; {gain} less than after {top.step} steps, which may be chance, {p}"


def p_value(candidate: Candidate, other: Candidate) -> float:
    """Return the p-value of a gain in accuracy over another candidate.

    The test is the one-sided corrected resampled t-test, for folds with overlapping training sets
    (Nadeau & Bengio 2003, Inference for the Generalization Error, section 3.2).
    """
    gains = [a - b for a, b in zip(candidate.folds, other.folds, strict=True)]
    k, mean, deviation = len(gains), statistics.mean(gains), statistics.stdev(gains)
    if deviation == 0:
        return float(mean <= 0)
    error = deviation * math.sqrt(1 / k + 1 / (k - 1))  # one fold tests, k - 1 train
    return float(t.sf(mean / error, k - 1))


def score_views(
    views: View,
    encoders: Encoders,
    images: ImageSet,
    labelled: Int64[Tensor, " m"],
    augment: CropFlip,
    settings: PretrainSettings,
    folds: int,
    fabric: Fabric,
) -> tuple[tuple[float, ...], float]:
    """Pretrain new encoders on views; return the accuracies of all folds, and I_NCE.

    Arguments:
        views: of a frozen generator.
        encoders: untrained.
        labelled: indices of the images whose labels may be used.
        augment: crops images to the size that the encoders take.
        settings: of a short pretraining.
        folds: number of folds of the cross-validation.
    """
    batches = Batches(len(images), settings.batch, settings.seed, "pretrain", "game.batch")
    method = CMC(encoders, Context(len(images), settings.batch, settings.temperature))
    loader = ViewLoader(images.source, batches, augment, views, method.views, device=fabric.device)
    trainer = Trainer(method, loader, partial(torch.optim.AdamW, lr=2e-3), settings, fabric)
    values = [metrics["i_nce"] for metrics in trainer]
    known = images.subset(labelled.to(images.labels.device))
    features = extract(views, encoders, known.source)
    accuracies = cross_validate(features, known.labels.cpu(), folds, settings.seed)
    return accuracies, statistics.mean(values[-max(1, len(values) // 10) :])


def cross_validate(
    features: Float[Tensor, "n d"], labels: Int64[Tensor, " n"], folds: int, seed: int = 0
) -> tuple[float, ...]:
    """Return the accuracy of a linear probe on each fold, fitted on the other folds.

    Raises:
        InputError: for fewer than two folds, or more folds than samples.
    """
    if not 2 <= folds <= len(labels):
        raise InputError(f"selection.folds: expected 2..{len(labels)}, got {folds}")
    order = torch.randperm(len(labels), generator=rng.generator(seed, "folds"))
    accuracies = []
    for fold in order.tensor_split(folds):
        rest = torch.ones(len(labels), dtype=torch.bool)
        rest[fold] = False
        probe = linear_probe(features[rest], labels[rest], features[fold], labels[fold], seed=seed)
        accuracies.append(probe.test)
    return tuple(accuracies)
