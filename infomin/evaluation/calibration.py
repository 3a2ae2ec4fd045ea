"""Calibration of I_NCE: train critics on distributions with known information, and compare.

The I_NCE of the best critic at the same K separates two causes of a low estimate: a critic that
learned too little, and a bound that cannot exceed its cap.
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
from infomin.information.critics import ScoreFunction
from infomin.information.known import KnownDistribution, Pairs, bent, channel, gaussians, mixture
from infomin.models import build_encoders
from infomin.training.critic_learning import CriticLearning, CriticSettings

_CHUNK = 4096  # pairs embedded at once


@dataclass(frozen=True)
class Case:
    """A distribution and a critic that can learn it."""

    known: KnownDistribution
    critic: Callable[[], Critic]  # builds an untrained one
    settings: CriticSettings
    k: int  # of the held-out estimate, as anchors
    anchors: int


@dataclass(frozen=True)
class CaseResult:
    """True information of a distribution, nats, and its estimates with two critics."""

    name: str
    truth: float
    learned: Estimate
    best: Estimate | None  # None if the best critic is not known


class ImageCritic(CosineCritic):
    """Two encoders and the cosine of their embeddings."""

    def __init__(self, size: int, temperature: float) -> None:
        super().__init__(temperature)
        self.f1, self.f2 = build_encoders("fourconv", (3, 3), size=size, dim=32).encoders

    def first(self, x: Images) -> Tensor:
        """Return f1(x)."""
        return self.f1(x)

    def second(self, y: Images) -> Tensor:
        """Return f2(y)."""
        return self.f2(y)


def shared_scenes(
    shared: Sequence[str], size: int = 16, hues: int = 8, places: int = 4
) -> KnownDistribution:
    """Return pairs of scenes that share some factors; the others are independent.

    Image and factors determine each other, so I is the entropy of the shared factors.

    Raises:
        InputError: for an unknown factor.
    """
    columns = []
    for name in shared:
        if name not in FACTORS:
            raise InputError(f"shared: expected some of {', '.join(FACTORS)}, got {name!r}")
        columns.append(FACTORS.index(name))
    limits = (len(SHAPES), hues, hues, places, places)

    def sample(n: int, generator: torch.Generator) -> Pairs:
        one, two = (draw_factors(n, hues, places, generator) for _ in range(2))
        two[:, columns] = one[:, columns]
        x, y = (render(factors, size, hues, places) / 255 for factors in (one, two))
        return x, y

    nats = sum(math.log(limits[i]) for i in columns)
    return KnownDistribution(f"scenes, shared {', '.join(shared)}", nats, sample, None)


def make_cases(settings: CriticSettings, k: int = 2**16, anchors: int = 2048) -> list[Case]:
    """Return the cases of the self-test: 0.5 to 8 nats, vectors of 2 to 24 numbers, and images.

    Arguments:
        settings: of the training; more information takes more steps or larger batches.
        k, anchors: of the estimates; cases of little information use K / 4, the largest 4 K.
    """
    easy = replace(settings, batch=settings.batch // 2)
    hard = replace(settings, steps=settings.steps * 2)
    few = replace(settings, batch=settings.batch // 4)
    short = replace(few, steps=settings.steps // 2, rate=4e-3)
    one, three = shared_scenes(["shape"]), shared_scenes(["shape", "ground_hue", "row"])

    def vectors(d: int) -> Callable[[], Critic]:
        return partial(SeparableCritic, d, d, hidden=128, dim=64)

    def images(temperature: float) -> Callable[[], Critic]:
        # scores span 2 / tau nats; a small span is learned sooner
        return partial(ImageCritic, 16, temperature)

    return [
        Case(gaussians(2, 0.5), vectors(2), easy, k // 4, anchors),
        Case(gaussians(4, 2.0), vectors(4), easy, k // 4, anchors),
        Case(bent(gaussians(4, 2.0)), vectors(4), easy, k // 4, anchors),
        Case(mixture(2), vectors(2), easy, k // 4, anchors),
        Case(channel(24, 0.1), vectors(24), easy, k // 4, anchors),
        Case(gaussians(10, 4.0), vectors(10), settings, k, anchors),
        Case(bent(gaussians(8, 4.0)), vectors(8), hard, k, anchors),
        Case(gaussians(8, 6.0), vectors(8), settings, k, anchors),
        Case(gaussians(6, 8.0), vectors(6), hard, 4 * k, anchors // 2),
        # after half of the steps it was still learning, 0.99 nats on one thread
        Case(one, images(0.2), few, k // 4, anchors),
        Case(three, images(0.05), short, k, anchors),
    ]


def make_learner(case: Case, fabric: Fabric) -> CriticLearning:
    """Return the training of a new critic of a case."""
    with rng.seeded(case.settings.seed, "critic", case.known.name):
        critic = case.critic()
    return CriticLearning(critic, case.known.sample, case.settings, fabric)


@torch.no_grad()
def evaluate_case(case: Case, critic: Critic, losses: Sequence[float] = ()) -> CaseResult:
    """Estimate I_NCE with a trained critic and with the best one, on the same held-out pairs.

    Arguments:
        case, critic: see `make_learner`.
        losses: of the critic in its training, where every step has new pairs.
    """
    known, seed = case.known, case.settings.seed
    x, y = known.sample(case.k, rng.generator(seed, "held out", known.name))
    critic.eval()

    def estimate_with(
        score: ScoreFunction, z1: Tensor, z2: Tensor, losses: Sequence[float] = ()
    ) -> Estimate:
        generator = rng.generator(seed, "bootstrap", known.name)
        return estimate(z1, z2, score, case.k, generator, case.anchors, losses=losses)

    z1 = torch.cat([critic.first(part) for part in x.split(_CHUNK)])
    z2 = torch.cat([critic.second(part) for part in y.split(_CHUNK)])
    best = None if known.log_ratio is None else estimate_with(known.log_ratio, x, y)
    learned = estimate_with(critic.score, z1, z2, losses)
    return CaseResult(known.name, known.nats, learned, best)
