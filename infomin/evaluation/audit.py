"""The factor audit: what of known factors of the images survives in an encoder's features.

Every factor is read out linearly on images that neither the encoder nor the readout has seen, and
held against chance: the most frequent class, or the mean. A contrastive encoder keeps what its
views share and may drop everything else (InfoMin, Table 4); the audit tells which.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from infomin.core.errors import InputError
from infomin.data import DataSet
from infomin.evaluation.features import extract
from infomin.evaluation.linear_probe import linear_probe
from infomin.evaluation.ridge import mean_distance, ridge_probe
from infomin.models.pretrained_encoder import PretrainedEncoder

Factors = Mapping[str, Tensor]
"""By name: integers `n` are classes, floats `n` or `n k` are numbers."""


@dataclass(frozen=True)
class Survival:
    """How well one factor can be read out.

    Attributes:
        factor: its name.
        error: share of wrong classes within [0, 1], or mean Euclidean distance in `unit`.
        chance: error of whoever sees no image: guesses the most frequent class of the training
            set, or its mean.
        unit: `%` of classes, else that of the numbers.
        n: number of test images.
    """

    factor: str
    error: float
    chance: float
    unit: str
    n: int

    @property
    def score(self) -> float:
        """The share of chance's error that is gone: 1 is perfect, 0 chance, below 0 worse."""
        return 1 - self.error / self.chance


def audit(
    train: Float[Tensor, "n d"],
    train_factors: Factors,
    test: Float[Tensor, "m d"],
    test_factors: Factors,
    units: Mapping[str, str] | None = None,
    seed: int = 0,
    **fit: Any,
) -> list[Survival]:
    """Read every factor out of frozen features.

    Arguments:
        train, test: features.
        train_factors, test_factors: the same factors of both.
        units: of numbers, by factor; unnamed ones have none.
        seed: of the readouts.
        fit: `epochs`, `rates`, ... of `linear_probe`, which reads classes.

    Raises:
        InputError: for no factor, different ones, another number of values than of images, or a
            factor that is the same everywhere.
    """
    _check(train, train_factors, test, test_factors)
    found = []
    for name, values in train_factors.items():
        truth = test_factors[name]
        if values.is_floating_point():
            target, wanted = (v.reshape(len(v), -1) for v in (values, truth))
            error = ridge_probe(train, target, test, wanted, seed=seed).test
        else:
            error = 1 - linear_probe(train, values, test, truth, seed=seed, **fit).test
        found.append(survival(name, error, values, truth, (units or {}).get(name, "")))
    return found


def survival(name: str, error: float, train: Tensor, test: Tensor, unit: str = "") -> Survival:
    """Hold the error of any readout of a factor against chance.

    Arguments:
        name: of the factor.
        error: as in `Survival`.
        train, test: values of the factor.
        unit: of numbers.
    """
    if train.is_floating_point():
        target, truth = (v.reshape(len(v), -1).double() for v in (train, test))
        chance = mean_distance(target.mean(0).expand_as(truth), truth)
    else:
        unit, chance = "%", (test != train.mode().values).double().mean().item()
    return Survival(name, error, chance, unit, len(test))


def audit_encoder(
    pretrained: PretrainedEncoder, data: DataSet, tap: str | None = None, seed: int = 0, **fit: Any
) -> list[Survival]:
    """Audit a pretrained encoder on data whose images have known factors, such as `scenes`.

    Arguments:
        pretrained: encoder and views.
        data: its training images train the readouts, its test images judge.
        tap: of the backbones; None is the last.
        seed, fit: see `audit`.

    Raises:
        InputError: when no factor of the images is known, or none varies, or images lack views.
    """
    data.needs_all("an audit")
    train, test = data.train, data.test
    sets = [s.factors for s in (train, test)]
    varied = [n for n in sets[0] if all(n in factors and _varies(factors[n]) for factors in sets)]
    if not varied:
        raise InputError(
            f"data {data.name}: an audit needs images with known factors that vary, as data=scenes"
        )
    features = [
        extract(pretrained.views, pretrained.encoders, s.images, pretrained.size, tap)
        for s in (train, test)
    ]
    chosen = [{name: factors[name].cpu() for name in varied} for factors in sets]
    return audit(features[0], chosen[0], features[1], chosen[1], seed=seed, **fit)


def _check(train: Tensor, train_factors: Factors, test: Tensor, test_factors: Factors) -> None:
    if not train_factors or {*train_factors} != {*test_factors}:
        raise InputError(
            f"factors: expected the same ones of training and test images, got "
            f"{[*train_factors]} and {[*test_factors]}"
        )
    for features, factors in ((train, train_factors), (test, test_factors)):
        for name, values in factors.items():
            if len(values) != len(features):
                raise InputError(
                    f"factors: {name} has {len(values)} values for {len(features)} images"
                )
            if not _varies(values):
                raise InputError(f"factors: {name} is the same in all images; leave it out")


def _varies(values: Tensor) -> bool:
    return len(torch.unique(values, dim=0)) > 1
