"""Factor probe: how well known factors of images can be read out of frozen features.

A linear readout is trained for each factor and tested on images that neither the encoder nor the
readout has seen. Its error is compared with chance: the most frequent class, or the mean. A
contrastive encoder keeps the factors that its views share and may drop all others (InfoMin,
Table 4).
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
        """Add the error of chance to the error of any readout.

        Arguments:
            factor, error: see the class.
            train, test: values of the factor in both sets.
            unit: of numbers; classes have `%`.
        """
        if train.is_floating_point():
            mean = _columns(train).double().mean(0)
            truth = _columns(test).double()
            chance = mean_distance(mean.expand_as(truth), truth)
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
        train_factors, test_factors: values of the same factors.
        units: units of numbers, by factor.
        seed: of the readouts.
        fit: options of `linear_probe`: `epochs`, `rates`, ...

    Raises:
        InputError: for no factors, different factors in the two sets, a factor with one value, or
            another number of values than images.
    """
    _check(train, train_factors, test, test_factors)
    readouts = []
    for name, values in train_factors.items():
        truth = test_factors[name]
        if values.is_floating_point():
            error = ridge_probe(train, _columns(values), test, _columns(truth), seed=seed).test
        else:
            error = 1 - linear_probe(train, values, test, truth, seed=seed, **fit).test
        unit = (units or {}).get(name, "")
        readouts.append(FactorReadout.from_error(name, error, values, truth, unit))
    return readouts


def probe_encoder(
    pretrained: PretrainedEncoder, data: DataSet, tap: str | None = None, seed: int = 0, **fit: Any
) -> list[FactorReadout]:
    """Read the known factors of images, such as those of `scenes`, out of a pretrained encoder.

    Arguments:
        pretrained: encoder and views.
        data: its training images train the readouts, its test images test them.
        tap: layer of the backbones; None is the last.
        seed, fit: see `probe_factors`.

    Raises:
        InputError: if no factor is known or varies, or if images lack views.
    """
    data.check_complete("a factor probe")
    train, test = data.train, data.test
    factors = [s.factors for s in (train, test)]
    names = [n for n in factors[0] if all(n in known and _varies(known[n]) for known in factors)]
    if not names:
        raise InputError(
            f"data {data.name}: a factor probe needs images with known factors that vary, as "
            "data=scenes"
        )
    features = [
        extract(pretrained.views, pretrained.encoders, s.images, pretrained.size, tap)
        for s in (train, test)
    ]
    chosen = [{name: known[name].cpu() for name in names} for known in factors]
    return probe_factors(features[0], chosen[0], features[1], chosen[1], seed=seed, **fit)


def _check(train: Tensor, train_factors: Factors, test: Tensor, test_factors: Factors) -> None:
    if not train_factors or {*train_factors} != {*test_factors}:
        raise InputError(
            f"factors: expected the same names for training and test images, got "
            f"{[*train_factors]} and {[*test_factors]}"
        )
    for features, factors in ((train, train_factors), (test, test_factors)):
        for name, values in factors.items():
            if len(values) != len(features):
                raise InputError(
                    f"factors: {name} has {len(values)} values for {len(features)} images"
                )
            if not _varies(values):
                raise InputError(f"factors: {name} has one value in all images; leave it out")


def _columns(values: Float[Tensor, "n ..."]) -> Float[Tensor, "n k"]:
    return values.reshape(len(values), -1)


def _varies(values: Tensor) -> bool:
    return len(torch.unique(values, dim=0)) > 1
