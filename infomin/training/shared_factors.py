r"""Training on Colorful-Moving-MNIST (InfoMin, section 4.1, Table 4).

f1 embeds a sequence of frames and f2 one image; they learn to find each other by what the two
share (in-batch InfoNCE, both directions averaged). The supervised row of the table trains the
network of f2 with one head per factor instead.
"""

import math
import time
from dataclasses import dataclass

import torch
from jaxtyping import Float
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from infomin.core import rng
from infomin.core.errors import InputError, at_least, positive
from infomin.data import MovingMnist, Sharing
from infomin.losses import cosine_scores, infonce, top1
from infomin.models import Encoder, SequenceEncoder
from infomin.training.schedule import factor, set_rate
from infomin.training.trainer import MakeOptimizer, Metrics, TrainingLoop


@dataclass(frozen=True)
class SharedFactorsSettings:
    """Numbers of a training.

    Attributes:
        steps: batches; every one is drawn anew.
        batch: pairs or images a step; K of the loss.
        temperature: tau of the cosine critic.
        warmup: share of the steps in which the rate rises.
        seed: of weights and scenes.
    """

    steps: int = 1000
    batch: int = 128
    temperature: float = 0.1
    warmup: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        at_least("steps", self.steps, 1)
        positive("temperature", self.temperature)
        if self.batch < 2:
            raise InputError(f"batch: InfoNCE needs at least 2 pairs, got {self.batch}")
        if not 0 <= self.warmup < 1:
            raise InputError(f"warmup: expected a share within [0, 1), got {self.warmup}")


class _OnTheFly(TrainingLoop):
    """Makes a batch, takes a step, tells: what both ways of training have in common."""

    def __init__(
        self,
        scenes: MovingMnist,
        modules: dict[str, nn.Module],
        optimizer: MakeOptimizer,
        settings: SharedFactorsSettings,
        fabric: Fabric,
    ) -> None:
        super().__init__(settings.steps, settings.batch, math.log(settings.batch), fabric)
        self.settings, self.scenes = settings, scenes.to(fabric.device)
        self.modules = {name: m.to(fabric.device).train() for name, m in modules.items()}
        # what two modules have in common counts once
        self.optimizer = optimizer(nn.ModuleDict(self.modules).parameters())
        self.optimizers = {"all": self.optimizer}

    def descend(self, loss: Tensor, name: str) -> Metrics:
        """Take one step down a loss; return it with the rate."""
        value = self.finite(name, loss)
        share = factor("cosine", self.step, self.steps, warmup=self.settings.warmup)
        set_rate(self.optimizer, share)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": value, "rate": self.optimizer.param_groups[0]["lr"]}


class SharedFactors(_OnTheFly):
    """Trains f1 and f2 on pairs of views that share chosen factors; in one process.

    Arguments:
        scenes: the training set.
        sharing: which factors, and how.
        f1: embeds v1, a sequence.
        f2: embeds v2, an image; its backbone may be that of f1.
        optimizer: makes one from parameters.
        settings: the numbers.
        fabric: device, precision.
    """

    def __init__(
        self,
        scenes: MovingMnist,
        sharing: Sharing,
        f1: SequenceEncoder,
        f2: Encoder,
        optimizer: MakeOptimizer,
        settings: SharedFactorsSettings,
        fabric: Fabric,
    ) -> None:
        super().__init__(scenes, {"f1": f1, "f2": f2}, optimizer, settings, fabric)
        self.sharing, self.f1, self.f2 = sharing, f1, f2

    @torch.no_grad()
    def make(self, step: int) -> tuple[Float[Tensor, "b t c h w"], Float[Tensor, "b c h w"]]:
        """Return v1 and v2 of batch `step`."""
        generator = rng.generator(self.settings.seed, "shared factors", step)
        v1, v2 = self.scenes.pairs(self.settings.batch, self.sharing, generator)
        return self.scenes.render(v1), self.scenes.render(v2)[:, 0]

    def advance(self) -> Metrics:
        """One step of both encoders."""
        began = time.perf_counter()
        v1, v2 = self.make(self.step)
        waited = time.perf_counter() - began
        with self.fabric.autocast():
            z1, z2 = self.f1(v1), self.f2(v2)
        scores = cosine_scores(z1, z2, self.settings.temperature)
        told = self.descend(infonce(scores), "L_NCE")
        told |= {"i_nce": self.cap - told["loss"], "accuracy": top1(scores)}
        return told | {"data_seconds": waited}


class Heads(nn.Module):
    """An encoder's backbone and one linear head per factor: two of classes, one of a position.

    Arguments:
        encoder: whose backbone it is.
        digits, backgrounds: number of classes.
    """

    def __init__(self, encoder: Encoder, digits: int, backgrounds: int) -> None:
        super().__init__()
        self.backbone, width = encoder.backbone, encoder.inputs
        sizes = {"digit": digits, "position": 2, "background": backgrounds}
        self.heads = nn.ModuleDict({name: nn.Linear(width, size) for name, size in sizes.items()})

    def forward(self, images: Float[Tensor, "b c h w"]) -> dict[str, Tensor]:
        """Return logits of the classes; positions in standard deviations from the middle."""
        features = self.backbone(images)
        return {name: head(features).float() for name, head in self.heads.items()}


class SupervisedFactors(_OnTheFly):
    """Trains a backbone and its heads on labelled single images; in one process.

    The loss is the sum of two cross-entropies and the mean squared error of the position, in
    standard deviations of a uniform one, so that every factor begins at a weight of order 1.

    Arguments:
        scenes: the training set.
        model: backbone and heads.
        optimizer, settings, fabric: see `SharedFactors`; the temperature is of no effect.
    """

    def __init__(
        self,
        scenes: MovingMnist,
        model: Heads,
        optimizer: MakeOptimizer,
        settings: SharedFactorsSettings,
        fabric: Fabric,
    ) -> None:
        super().__init__(scenes, {"model": model}, optimizer, settings, fabric)
        self.model = model

    def advance(self) -> Metrics:
        """One step of backbone and heads."""
        began = time.perf_counter()
        generator = rng.generator(self.settings.seed, "supervised factors", self.step)
        drawn = self.scenes.draw(self.settings.batch, 1, generator)
        images = self.scenes.render(drawn)[:, 0]
        truth = {n: v.to(images.device) for n, v in self.scenes.factors(drawn).items()}
        waited = time.perf_counter() - began
        with self.fabric.autocast():
            told = self.model(images)
        loss = F.cross_entropy(told["digit"], truth["digit"])
        loss = loss + F.cross_entropy(told["background"], truth["background"])
        loss = loss + F.mse_loss(
            told["position"], standardized(truth["position"], self.scenes.span)
        )
        hits = (told["digit"].argmax(1) == truth["digit"]).float().mean().item()
        return self.descend(loss, "loss") | {"accuracy": hits, "data_seconds": waited}


def standardized(position: Float[Tensor, "n 2"], span: float) -> Float[Tensor, "n 2"]:
    """Return positions, uniform within 0..span, with mean 0 and variance 1."""
    return (position / span - 0.5) * math.sqrt(12)


def in_pixels(told: Float[Tensor, "n 2"], span: float) -> Float[Tensor, "n 2"]:
    """Return the pixels of standardised positions."""
    return (told / math.sqrt(12) + 0.5) * span
