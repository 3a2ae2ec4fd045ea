"""Factor probe: how well known factors of images can be read out of frozen features.

A linear readout is trained for each factor and tested on images that neither the encoder nor the
readout has seen. Its error is compared with chance: the most frequent class, or the mean. A
contrastive encoder keeps the factors that its views share and may drop all others (InfoMin,
Table 4). Classes are read by the linear probe, numbers by ridge regression.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from infomin.core.errors import InputError
from infomin.data import DataSet
from infomin.evaluation.features import extract
from infomin.evaluation.linear_probe import linear_probe, split_validation
from infomin.models.pretrained_encoder import PretrainedEncoder

Factors = Mapping[str, Tensor]
"""Factors by name: integers `n` are classes, floats `n` or `n k` are numbers."""


@dataclass(frozen=True)
class FactorReadout:
    """Test error of a readout of one factor, and the error of chance.

    Attributes:
        factor: name of the factor.
        error: share of wrong classes within [0, 1], or mean Euclidean distance in `unit`.
        chance: error of a constant guess: the most frequent class or the mean of the training set.
        unit: `%` for classes, else the unit of the numbers.
        n: number of test images.
    """

    factor: str
    error: float
    chance: float
    unit: str
    n: int

    @classmethod
    def from_error(
        cls, factor: str, error: float, train: Tensor, test: Tensor, unit: str = ""
    ) -> "FactorReadout":
        """Add the error of chance, from the values of a factor in both sets."""
        if train.is_floating_point():
            chance = mean_distance(_columns(train).mean(0), _columns(test))
        else:
            unit, chance = "%", (test != train.mode().values).double().mean().item()
        return cls(factor, error, chance, unit, len(test))

    @property
    def score(self) -> float:
        """1 - error / chance: 1 is perfect, 0 is chance, below 0 is worse than chance."""
        return 1 - self.error / self.chance


def probe_factors(
    train: Float[Tensor, "n d"],
    train_factors: Factors,
    test: Float[Tensor, "m d"],
    test_factors: Factors,
    units: Mapping[str, str] | None = None,
    seed: int = 0,
    **fit: Any,
) -> list[FactorReadout]:
    """Read every factor out of frozen features: classes by softmax, numbers by ridge regression.

    Arguments:
        train, test: features.
        train_factors, test_factors: the same factors, each with two or more values.
        units: of numbers, by factor.
        fit: `penalties` and `validation` of `linear_probe`.
    """
    readouts = []
    for name, values in train_factors.items():
        truth = test_factors[name]
        if values.is_floating_point():
            error, _ = ridge_probe(train, _columns(values), test, _columns(truth), seed=seed)
        else:
            error = 1 - linear_probe(train, values, test, truth, seed=seed, **fit).test
        unit = (units or {}).get(name, "")
        readouts.append(FactorReadout.from_error(name, error, values, truth, unit))
    return readouts


def ridge_probe(
    train: Float[Tensor, "n d"],
    train_targets: Float[Tensor, "n k"],
    test: Float[Tensor, "m d"],
    test_targets: Float[Tensor, "m k"],
    penalties: Sequence[float] = (1e-4, 1e-3, 1e-2, 1e-1, 1.0),
    seed: int = 0,
) -> tuple[float, float]:
    """Fit ridge regressions on standardised features and test the best one, as in the linear probe.

    Arguments:
        train_targets, test_targets: numbers, such as a position.
        penalties: weights of the squared norm, beside the *mean* squared error.

    Returns:
        Mean Euclidean distance on the test set, in the unit of the targets, and the chosen penalty.
    """
    held_out, fitted = split_validation(len(train), 0.1, seed)
    x, y = train.double(), train_targets.double()
    tried = _ridge(x[fitted], y[fitted], x[held_out], penalties)
    best = min(penalties, key=lambda penalty: mean_distance(tried[penalty], y[held_out]))
    prediction = _ridge(x, y, test.double(), [best])[best]
    return mean_distance(prediction, test_targets.double()), best


def mean_distance(prediction: Float[Tensor, "... k"], truth: Float[Tensor, "n k"]) -> float:
    """Return the mean Euclidean distance between targets and predictions, or a constant guess."""
    return (prediction - truth).norm(dim=1).mean().item()


def _ridge(
    x: Tensor, y: Tensor, test: Tensor, penalties: Sequence[float]
) -> dict[float, Float[Tensor, "m k"]]:
    """Return the predictions for `test` by penalty.

    With standardised features X and X'X / n = V diag(s) V', the solution for every penalty is
    V diag(1 / (s + penalty)) V' X'y / n, so all penalties share one decomposition.
    """
    mean, std = x.mean(0), x.std(0).clamp(min=1e-5)
    x, test, offset = (x - mean) / std, (test - mean) / std, y.mean(0)
    values, vectors = torch.linalg.eigh(x.mT @ x / len(x))
    covariance = vectors.mT @ (x.mT @ (y - offset)) / len(x)
    rotated, values = test @ vectors, values.clamp(min=0)[:, None]
    return {p: rotated @ (covariance / (values + p)) + offset for p in penalties}


def probe_encoder(
    pretrained: PretrainedEncoder, data: DataSet, tap: str | None = None, seed: int = 0, **fit: Any
) -> list[FactorReadout]:
    """Read the known factors of images, such as those of `scenes`, out of a pretrained encoder.

    Arguments:
        data: its training images train the readouts, its test images test them.
        tap: layer of the backbones; None is the last.
        fit: see `probe_factors`.

    Raises:
        InputError: if no factor is known or varies, or if images lack views.
    """
    data.check_complete("a factor probe")
    sets = (data.train, data.test)
    names = [
        name
        for name in data.train.factors
        if all(name in s.factors and _varies(s.factors[name]) for s in sets)
    ]
    if not names:
        raise InputError(
            f"data {data.name}: a factor probe needs images with known factors that vary, as "
            "data=scenes"
        )
    train, test = (extract(pretrained.views, pretrained.encoders, s.source, tap) for s in sets)
    known, truth = ({name: s.factors[name].cpu() for name in names} for s in sets)
    return probe_factors(train, known, test, truth, seed=seed, **fit)


def _columns(values: Float[Tensor, "n ..."]) -> Float[Tensor, "n k"]:
    return values.double().reshape(len(values), -1)


def _varies(values: Tensor) -> bool:
    return len(torch.unique(values, dim=0)) > 1
