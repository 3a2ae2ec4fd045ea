"""What is measured on scenes of Colorful-Moving-MNIST: readouts of three factors, and I_NCE."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from infomin.core import rng
from infomin.data import MovingMnist, Sharing
from infomin.data.moving_mnist import Scenes
from infomin.evaluation.audit import Survival, audit, survival
from infomin.evaluation.ridge import mean_distance
from infomin.information import CosineCritic, Estimate, estimate
from infomin.models import Backbone, Encoder, SequenceEncoder
from infomin.training.shared_factors import Heads, in_pixels

UNITS = {"position": "px"}
_CHUNK = 500  # images at a time


def read_out(
    backbone: Backbone,
    train: MovingMnist,
    test: MovingMnist,
    n_train: int = 10000,
    n_test: int = 4000,
    seed: int = 0,
    **fit: Any,
) -> list[Survival]:
    """Read all factors out of a frozen backbone, by linear heads on single images.

    Arguments:
        backbone: put into evaluation mode for the time, then back.
        train: its images train the heads.
        test: judges; other digits over other backgrounds.
        n_train, n_test: number of images.
        seed: of the images and heads.
        fit: `epochs`, ... of `linear_probe`.
    """
    was = backbone.training
    backbone.eval()
    read = []
    for scenes, n, split in ((train, n_train, "train"), (test, n_test, "test")):
        parts = [(_features(backbone, x), known) for x, known in _images(scenes, n, seed, split)]
        read.append((torch.cat([z for z, _ in parts]), _joined([known for _, known in parts])))
    backbone.train(was)
    return audit(*read[0], *read[1], units=UNITS, seed=seed, **fit)


@torch.no_grad()
def supervised_errors(
    model: Heads,
    train: MovingMnist,
    test: MovingMnist,
    n_train: int = 10000,
    n_test: int = 4000,
    seed: int = 0,
) -> list[Survival]:
    """Return the errors of heads that were trained with their backbone, on test images.

    Arguments:
        model: put into evaluation mode for the time, then back.
        train: what it was trained on, which chance is measured by, as in `read_out`.
        test, n_train, n_test, seed: see there.
    """
    was = model.training
    model.eval()
    told, truth = [], []
    for images, known in _images(test, n_test, seed, "test"):
        told.append({name: out.cpu() for name, out in model(images).items()})
        truth.append(known)
    model.train(was)
    seen = _joined([train.factors(drawn) for drawn in _draws(train, n_train, seed, "train")])
    out, known = _joined(told), _joined(truth)
    found = []
    for name, values in known.items():
        if name in UNITS:
            error = mean_distance(in_pixels(out[name], test.span), values)
        else:
            error = (out[name].argmax(1) != values).double().mean().item()
        found.append(survival(name, error, seen[name], values, UNITS.get(name, "")))
    return found


@torch.no_grad()
def held_out_pairs(
    f1: SequenceEncoder,
    f2: Encoder,
    test: MovingMnist,
    sharing: Sharing,
    temperature: float,
    k: int,
    n: int = 2000,
    seed: int = 0,
) -> Estimate:
    """Estimate I_NCE between a sequence and an image of test scenes, drawn as in training.

    Both directions averaged, K in the denominator, a bootstrap interval over pairs.

    Arguments:
        f1, f2: put into evaluation mode for the time, then back.
        test, sharing: the pairs.
        temperature: of the cosine critic.
        k: pairs in the denominator.
        n: number of pairs, raised to a multiple of K.
        seed: of pairs and bootstrap.
    """
    was = f1.training, f2.training
    f1.eval()
    f2.eval()
    z = []
    for i in range(-(-n // k)):
        v1, v2 = test.pairs(k, sharing, rng.generator(seed, "held-out pairs", i))
        z.append((f1(test.render(v1)).cpu(), f2(test.render(v2)[:, 0]).cpu()))
    f1.train(was[0])
    f2.train(was[1])
    z1, z2 = (torch.cat([part[view] for part in z]) for view in (0, 1))
    return estimate(z1, z2, CosineCritic(temperature), k, rng.generator(seed, "bootstrap"))


@torch.no_grad()
def _features(backbone: Backbone, images: Tensor) -> Float[Tensor, "n d"]:
    return backbone(images).float().cpu()


def _images(
    scenes: MovingMnist, n: int, seed: int, split: str
) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Give single images in chunks, with the factors of each."""
    for drawn in _draws(scenes, n, seed, split):
        yield scenes.render(drawn)[:, 0], scenes.factors(drawn)


def _draws(scenes: MovingMnist, n: int, seed: int, split: str) -> Iterator[Scenes]:
    for i, start in enumerate(range(0, n, _CHUNK)):
        generator = rng.generator(seed, "readout", split, i)
        yield scenes.draw(min(_CHUNK, n - start), 1, generator)


def _joined(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
