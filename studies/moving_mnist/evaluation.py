"""Evaluation on Colorful-Moving-MNIST: errors of three factors, and held-out I_NCE."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from infomin.core import rng
from infomin.evaluation import FactorReadout, probe_factors
from infomin.evaluation.ridge import mean_distance
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
        backbone: its mode is restored.
        train: data that train the readouts.
        test: data that test them; other digits over other backgrounds.
        n_train, n_test: numbers of images.
        seed: of images and readouts.
        fit: options of `linear_probe`: `epochs`, ...
    """
    features, factors = [], []
    for data, n, split in ((train, n_train, "train"), (test, n_test, "test")):
        chunks = list(_samples(data, n, seed, split))
        with _evaluating(backbone):
            z = [backbone(data.render(scenes)[:, 0]).float().cpu() for scenes in chunks]
        features.append(torch.cat(z))
        factors.append(_concatenate([data.factors(scenes) for scenes in chunks]))
    return probe_factors(
        features[0], factors[0], features[1], factors[1], units=UNITS, seed=seed, **fit
    )


def supervised_errors(
    model: FactorHeads,
    train: MovingMnist,
    test: MovingMnist,
    n_train: int = 10000,
    n_test: int = 4000,
    seed: int = 0,
) -> list[FactorReadout]:
    """Return the test errors of heads that were trained with their backbone.

    Arguments:
        model: its mode is restored.
        train: data for the errors of chance, as in `probe_backbone`.
        test, n_train, n_test, seed: see `probe_backbone`.
    """
    chunks = list(_samples(test, n_test, seed, "test"))
    with _evaluating(model):
        outputs = [model(test.render(scenes)[:, 0]) for scenes in chunks]
    output = {name: values.cpu() for name, values in _concatenate(outputs).items()}
    truth = _concatenate([test.factors(scenes) for scenes in chunks])
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

    The estimate averages both directions and has a bootstrap interval over pairs.

    Arguments:
        f1, f2: encoders; their modes are restored.
        test, sharing: see `MovingMnist.sample_pairs`.
        temperature: of the cosine critic.
        k: K, the pairs in the denominator.
        n: number of pairs, raised to a multiple of K.
        seed: of pairs and bootstrap.
    """
    z1, z2 = [], []
    with _evaluating(f1), _evaluating(f2):
        for i in range(-(-n // k)):
            generator = rng.generator(seed, "held-out pairs", i)
            v1, v2 = test.sample_pairs(k, sharing, generator)
            z1.append(f1(test.render(v1)).cpu())
            z2.append(f2(test.render(v2)[:, 0]).cpu())
    critic, generator = CosineCritic(temperature), rng.generator(seed, "bootstrap")
    return estimate(torch.cat(z1), torch.cat(z2), critic, k, generator)


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Run a module in evaluation mode and without gradients, and restore its mode afterwards."""
    mode = module.training
    module.eval()
    with torch.no_grad():
        yield
    module.train(mode)


def _samples(data: MovingMnist, n: int, seed: int, split: str) -> Iterator[Scenes]:
    """Yield the factors of n single images, in chunks."""
    for i, start in enumerate(range(0, n, _CHUNK)):
        generator = rng.generator(seed, "readout", split, i)
        yield data.sample(min(_CHUNK, n - start), 1, generator)


def _concatenate(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
