r"""A linear classifier on frozen features: the judge of a pretraining.

Features are computed once and standardised; softmax regressions for all weight decays and learning
rates are fitted *at once*, with Adam: side by side, their weights are one matrix, so that a batch
of features is read once for all of them. Which of them counts is decided on a validation split of
the training set, never on test; that one is fitted once more, on the whole training set. Without
this last step top-1 varied by half a point with the images that happened to be split off, with it
by a tenth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from einops import rearrange, repeat
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from infomin.core import rng
from infomin.core.errors import InputError
from infomin.data import Batches
from infomin.training.schedule import factor, set_rate


@dataclass(frozen=True)
class ProbeResult:
    """Top-1 accuracy of a linear probe, shares within [0, 1].

    Attributes:
        test: on the test set, of the one setting chosen, fitted on the whole training set.
        validation: of that setting on the validation split, which chose it, fitted on the rest.
        rate, decay: the setting.
        protocol: how it came about, in one line.
    """

    test: float
    validation: float
    rate: float
    decay: float
    protocol: str


def linear_probe(
    train: Float[Tensor, "n d"],
    train_labels: Int64[Tensor, " n"],
    test: Float[Tensor, "m d"],
    test_labels: Int64[Tensor, " m"],
    rates: Sequence[float] = (1e-3, 2e-3),
    decays: Sequence[float] = (1.0, 3.0, 10.0),
    epochs: int = 20,
    batch: int = 512,
    validation: float = 0.1,
    seed: int = 0,
) -> ProbeResult:
    """Fit linear classifiers, choose one on validation, fit it on everything, and test it.

    Arguments:
        train, test: frozen features.
        rates: peak learning rates of Adam, cosine to 0.
        decays: decoupled weight decays.
        epochs, batch: of the fit.
        validation: share of `train` that chooses.
        seed: of that split and of the order.

    Raises:
        InputError: for fewer than two classes, or a split that leaves a part empty.
    """
    classes = int(train_labels.max()) + 1
    if len(torch.unique(train_labels)) < 2:
        raise InputError("labels: a probe needs at least 2 classes, got 1")
    order = torch.randperm(len(train), generator=rng.generator(seed, "validation"))
    held = round(validation * len(train))
    if not 0 < held < len(train):
        raise InputError(f"validation: {validation} of {len(train)} samples leaves a part empty")
    chosen, fitted = order[:held], order[held:]
    mean, std = train.mean(0), train.std(0).clamp(min=1e-5)
    x, x_test = (train - mean) / std, (test - mean) / std
    settings = list(product(rates, decays))
    weights, bias = _fit(x[fitted], train_labels[fitted], classes, settings, epochs, batch, seed)
    scores = _accuracies(x[chosen], train_labels[chosen], weights, bias)
    best = int(scores.argmax())
    weights, bias = _fit(x, train_labels, classes, settings[best : best + 1], epochs, batch, seed)
    result = _accuracies(x_test, test_labels, weights, bias)
    rate, decay = settings[best]
    protocol = (
        f"linear, standardised frozen features, d={train.shape[1]}, Adam, {epochs} epochs, "
        f"{len(settings)} settings, chosen on {held} of {len(train)} training images, fitted on "
        f"all, {len(test)} test images, last epoch"
    )
    return ProbeResult(result.item(), scores[best].item(), rate, decay, protocol)


def _fit(
    x: Tensor,
    labels: Tensor,
    classes: int,
    settings: Sequence[tuple[float, float]],
    epochs: int,
    batch: int,
    seed: int,
) -> tuple[Tensor, Tensor]:
    """Fit one softmax regression per (rate, decay); `(s, d, classes)` and `(s, 1, classes)`."""
    batch = min(batch, len(x))
    batches = Batches(len(x), batch, seed, "probe")
    steps = epochs * batches.per_epoch
    weights: list[Tensor] = [nn.Parameter(x.new_zeros(x.shape[1], classes)) for _ in settings]
    biases: list[Tensor] = [nn.Parameter(x.new_zeros(1, classes)) for _ in settings]
    groups: list[dict[str, Any]] = []
    for w, b, (rate, decay) in zip(weights, biases, settings, strict=True):
        groups += [
            {"params": [w], "lr": rate, "weight_decay": decay},
            {"params": [b], "lr": rate, "weight_decay": 0.0},
        ]
    optimizer = torch.optim.AdamW(groups)
    for step in range(steps):
        part = batches(step)
        logits = x[part] @ torch.cat(weights, 1) + torch.cat(biases, 1)
        logits = rearrange(logits, "b (s k) -> s b k", s=len(settings))
        target = repeat(labels[part], "b -> s b", s=len(settings))
        # summed over settings, so that each is fitted as if alone
        loss = F.cross_entropy(logits.mT, target, reduction="sum") / batch
        set_rate(optimizer, factor("cosine", step, steps))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return torch.stack(weights).detach(), torch.stack(biases).detach()


@torch.no_grad()
def _accuracies(x: Tensor, labels: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    guess = (x @ weights + bias).argmax(-1)
    target = repeat(labels, "n -> s n", s=len(weights))
    return (guess == target).float().mean(1)
