"""Is the estimate right? Learn a critic where the information is known, and compare.

What a row of the calibration shows: the truth, the held-out I_NCE of a critic that was learned from
samples alone, its interval and cap, and what the best critic gets at the same K. The last tells
the two ways to fall short apart: a critic that has not learned enough, and a bound that is blind
near its cap, the more so the more log-ratios vary from pair to pair.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from lightning_fabric import Fabric
from torch import Tensor

from infomin.core import rng
from infomin.core.errors import InputError
from infomin.core.shapes import Images
from infomin.data.scenes import FACTORS, SHAPES, draw_factors, render
from infomin.information import CosineCritic, Critic, Estimate, SeparableCritic, estimate
from infomin.information.critics import Compare
from infomin.information.known import Known, Pairs, bent, channel, gaussians, mixture
from infomin.models import build_encoders
from infomin.training.critic_learning import CriticLearning, CriticSettings

_CHUNK = 4096  # pairs embedded at once


@dataclass(frozen=True)
class Case:
    """A distribution, and a critic that can learn it.

    Attributes:
        known: the distribution.
        critic: makes one, not yet trained.
        settings: of its learning.
        k, anchors: of the held-out estimate.
    """

    known: Known
    critic: Callable[[], Critic]
    settings: CriticSettings
    k: int
    anchors: int


@dataclass(frozen=True)
class Row:
    """What a case came to.

    Attributes:
        name, truth: of the distribution, nats.
        found: with the learned critic.
        best: with the best one; None where it is not known.
    """

    name: str
    truth: float
    found: Estimate
    best: Estimate | None


class ImageCritic(CosineCritic):
    """Two encoders and the cosine of their embeddings."""

    def __init__(self, size: int, temperature: float) -> None:
        super().__init__(temperature)
        self.f1, self.f2 = build_encoders("fourconv", (3, 3), size=size, dim=32).encoders

    def first(self, x: Images) -> Tensor:
        """Return f1(x)."""
        z1: Tensor = self.f1(x)
        return z1

    def second(self, y: Images) -> Tensor:
        """Return f2(y)."""
        z2: Tensor = self.f2(y)
        return z2


def shared_scenes(shared: Sequence[str], size: int = 16, hues: int = 8, places: int = 4) -> Known:
    """Return pairs of scenes that share some factors, and nothing else.

    An image tells its factors and they tell the image, so that I is the entropy of those shared.

    Raises:
        InputError: for a factor that scenes do not have.
    """
    columns = []
    for name in shared:
        if name not in FACTORS:
            raise InputError(f"shared: expected some of {', '.join(FACTORS)}, got {name!r}")
        columns.append(FACTORS.index(name))
    limits = (len(SHAPES), hues, hues, places, places)

    def draw(n: int, generator: torch.Generator) -> Pairs:
        one, two = (draw_factors(n, hues, places, generator) for _ in range(2))
        two[:, columns] = one[:, columns]
        x, y = (render(factors, size, hues, places) / 255 for factors in (one, two))
        return x, y

    nats = sum(math.log(limits[i]) for i in columns)
    return Known(f"scenes, shared {', '.join(shared)}", nats, draw, None)


def cases(settings: CriticSettings, k: int = 2**16, anchors: int = 2048) -> list[Case]:
    """Return the cases of the self-test: 0.5 to 8 nats, in 2 to 24 dimensions and in images.

    Arguments:
        settings: of the learning; more information takes more of it.
        k, anchors: of the estimates; little information takes K / 4, the largest 4 K.
    """
    easy = replace(settings, batch=settings.batch // 2)
    hard = replace(settings, steps=settings.steps * 2)
    little = [gaussians(2, 0.5), gaussians(4, 2.0), bent(gaussians(4, 2.0))]
    little += [mixture(2), channel(24, 0.1)]
    made = [_vectors(known, easy, k // 4, anchors) for known in little]
    made += [_vectors(gaussians(10, 4.0), settings, k, anchors)]
    made += [_vectors(bent(gaussians(8, 4.0)), hard, k, anchors)]
    made += [_vectors(gaussians(8, 6.0), settings, k, anchors)]
    made += [_vectors(gaussians(6, 8.0), hard, 4 * k, anchors // 2)]
    few = replace(settings, steps=settings.steps // 2, batch=settings.batch // 4)
    one, three = shared_scenes(["shape"]), shared_scenes(["shape", "ground_hue", "row"])
    # cosines span 2 / tau nats; where that is little they learn sooner
    made += [Case(one, partial(ImageCritic, 16, 0.2), few, k // 4, anchors)]
    fast = replace(few, rate=4e-3)
    made += [Case(three, partial(ImageCritic, 16, 0.05), fast, k, anchors)]
    return made


def _vectors(known: Known, settings: CriticSettings, k: int, anchors: int) -> Case:
    x, y = known.draw(2, torch.Generator())
    critic = partial(SeparableCritic, x.shape[1], y.shape[1], hidden=128, dim=64)
    return Case(known, critic, settings, k, anchors)


def learning(case: Case, fabric: Fabric) -> CriticLearning:
    """Return what trains the critic of a case."""
    with rng.seeded(case.settings.seed, "critic", case.known.name):
        critic = case.critic()
    return CriticLearning(critic, case.known.draw, case.settings, fabric)


@torch.no_grad()
def measure(case: Case, critic: Critic) -> Row:
    """Measure a trained critic, and the best one, on the same held-out pairs."""
    known, seed = case.known, case.settings.seed
    x, y = known.draw(case.k, rng.generator(seed, "held out", known.name))
    critic.eval()

    def estimated(z1: Tensor, z2: Tensor, compare: Compare) -> Estimate:
        generator = rng.generator(seed, "bootstrap", known.name)
        return estimate(z1, z2, compare, case.k, generator, case.anchors)

    z1 = torch.cat([critic.first(part) for part in x.split(_CHUNK)])
    z2 = torch.cat([critic.second(part) for part in y.split(_CHUNK)])
    best = None if known.ratio is None else estimated(x, y, known.ratio)
    return Row(known.name, known.nats, estimated(z1, z2, critic.score), best)
