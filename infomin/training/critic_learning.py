"""The training of a critic by InfoNCE, on new samples of pairs in every step."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import Tensor

from infomin.core import rng
from infomin.core.errors import at_least, positive
from infomin.information.critics import Critic
from infomin.losses import infonce, top1
from infomin.training.schedule import factor, set_rate
from infomin.training.trainer import Metrics, TrainingLoop


@dataclass(frozen=True)
class CriticSettings:
    """Numbers of the training of a critic.

    Attributes:
        steps: number of steps.
        batch: pairs a step; K of the loss.
        rate: of Adam at its highest; it rises, then falls as a cosine.
        warmup: share of the steps in which it rises.
        seed: of weights and pairs.
    """

    steps: int = 1000
    batch: int = 512
    rate: float = 2e-3
    warmup: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        at_least("steps", self.steps, 1)
        at_least("batch", self.batch, 2)
        positive("rate", self.rate)


class CriticLearning(TrainingLoop):
    """Trains a critic.

    Arguments:
        critic: not yet trained.
        draw: makes n pairs from a generator.
        settings: the numbers.
        fabric: device and precision.
    """

    def __init__(
        self,
        critic: Critic,
        draw: Callable[[int, torch.Generator], tuple[Tensor, Tensor]],
        settings: CriticSettings,
        fabric: Fabric,
    ) -> None:
        super().__init__(settings.steps, settings.batch, math.log(settings.batch), fabric)
        self.draw, self.settings = draw, settings
        self.critic = critic.to(fabric.device).train()
        self.optimizer = torch.optim.Adam(self.critic.parameters(), settings.rate)
        self.modules, self.optimizers = {"critic": self.critic}, {"critic": self.optimizer}

    def advance(self) -> Metrics:
        """Run one step."""
        began = time.perf_counter()
        generator = rng.generator(self.settings.seed, "pairs", self.step)
        x, y = (part.to(self.fabric.device) for part in self.draw(self.settings.batch, generator))
        waited = time.perf_counter() - began
        scores = self.critic(x, y)
        loss = infonce(scores)
        value = self.finite("loss", loss)
        share = factor("cosine", self.step, self.steps, self.settings.warmup)
        set_rate(self.optimizer, share)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {
            "loss": value,
            "i_nce": self.cap - value,
            "accuracy": top1(scores.detach()),
            "rate": self.optimizer.param_groups[0]["lr"],
            "data_seconds": waited,
        }
