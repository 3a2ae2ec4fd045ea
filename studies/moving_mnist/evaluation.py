"""Evaluation on Colorful-Moving-MNIST: errors of three factors, and held-out I_NCE."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from infomin.core import rng
from infomin.evaluation import FactorReadout, probe_factors
from infomin.evaluation.factor_probe import mean_distance
from infomin.evaluation.features import evaluating
from infomin.information import CosineCritic, Estimate, estimate
from infomin.models import Backbone, Encoder
from studies.moving_mnist.scenes import MovingMnist, Scenes, Sharing
from studies.moving_mnist.training import FactorHeads, SequenceEncoder, to_pixels

UNITS = {"position": "px"}
_CHUNK = 500  # images rendered at once


def probe_backbone(
    backbone: Backbone,
    train: MovingMnist,
    test: MovingMnist,
    n_train: int = 10000,
    n_test: int = 4000,
    seed: int = 0,
    **fit: Any,
) -> list[FactorReadout]:
    """Read all factors out of a frozen backbone, by linear readouts of single images.

    Arguments:
        train: data that train the readouts.
        test: data that test them; other digits over other backgrounds.
        n_train, n_test: numbers of images.
        seed: of images and readouts.
        fit: `penalties` and `validation` of `linear_probe`.
    """

    def features(images: Tensor) -> dict[str, Tensor]:
        return {"features": backbone(images).float()}

    with evaluating(backbone):
        z, known = _read(features, train, n_train, seed, "train")
        z_test, truth = _read(features, test, n_test, seed, "test")
    return probe_factors(z["features"], known, z_test["features"], truth, UNITS, seed, **fit)


def supervised_errors(
    model: FactorHeads,
    train: MovingMnist,
    test: MovingMnist,
    n_train: int = 10000,
    n_test: int = 4000,
    seed: int = 0,
) -> list[FactorReadout]:
    """Return the test errors of heads that were trained with their backbone.

    The arguments are those of `probe_backbone`; training data give the errors of chance.
    """
    with evaluating(model):
        output, truth = _read(model, test, n_test, seed, "test")
    known = _concatenate([train.factors(s) for s in _samples(train, n_train, seed, "train")])
    readouts = []
    for name, values in truth.items():
        if name in UNITS:
            error = mean_distance(to_pixels(output[name], test.span), values)
        else:
            error = (output[name].argmax(1) != values).double().mean().item()
        unit = UNITS.get(name, "")
        readouts.append(FactorReadout.from_error(name, error, known[name], values, unit))
    return readouts


@torch.no_grad()
def held_out_i_nce(
    f1: SequenceEncoder,
    f2: Encoder,
    test: MovingMnist,
    sharing: Sharing,
    temperature: float,
    k: int,
    n: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Estimate I_NCE between sequences and images of the test set, sampled as in training.

    Arguments:
        temperature: of the cosine critic.
        k: K, the pairs in the denominator.
        n: number of pairs, raised to a multiple of K.
        seed: of pairs and bootstrap.
    """
    z1, z2 = [], []
    with evaluating(f1), evaluating(f2):
        for i in range(-(-n // k)):
            v1, v2 = test.sample_pairs(k, sharing, rng.generator(seed, "held-out pairs", i))
            z1.append(f1(test.render(v1)).cpu())
            z2.append(f2(test.render(v2)[:, 0]).cpu())
    critic, generator = CosineCritic(temperature), rng.generator(seed, "bootstrap")
    return estimate(torch.cat(z1), torch.cat(z2), critic, k, generator)


@torch.no_grad()
def _read(
    network: Callable[[Tensor], dict[str, Tensor]],
    data: MovingMnist,
    n: int,
    seed: int,
    split: str,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the outputs of a network for n single images, on the CPU, and their factors."""
    chunks = list(_samples(data, n, seed, split))
    outputs = [network(data.render(scenes)[:, 0]) for scenes in chunks]
    return _concatenate(outputs), _concatenate([data.factors(scenes) for scenes in chunks])


def _samples(data: MovingMnist, n: int, seed: int, split: str) -> Iterator[Scenes]:
    """Yield the factors of n single images, in chunks."""
    for i, start in enumerate(range(0, n, _CHUNK)):
        generator = rng.generator(seed, "readout", split, i)
        yield data.sample(min(_CHUNK, n - start), 1, generator)


def _concatenate(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat([part[name] for part in parts]).cpu() for name in parts[0]}
