r"""Networks and training of Colorful-Moving-MNIST (InfoMin, section 4.1, Table 4).

f1 embeds a sequence of frames and f2 embeds one image. In-batch InfoNCE, averaged over both
directions, trains them on what the two views share. The supervised row of the table trains the
backbone of f2 with one head per factor instead.
"""

import math
import time
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from infomin.core import rng
from infomin.core.errors import InputError, at_least, positive
from infomin.losses import cosine_scores, infonce, top1
from infomin.models import Encoder
from infomin.training.schedule import factor, set_rate
from infomin.training.trainer import MakeOptimizer, Metrics, TrainingLoop
from studies.moving_mnist.scenes import MovingMnist, Sharing


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training.

    Attributes:
        batch: pairs or images in a batch; K of the loss.
        temperature: tau of the cosine critic.
        warmup: share of the steps in which the learning rate rises.
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


class SequenceEncoder(nn.Module):
    """f1, `b t c h w -> (b, dim)`: a backbone per frame, an LSTM, and a unit embedding.

    Arguments:
        encoder: owner of the backbone.
        hidden: width of the LSTM, which has one layer; a linear head embeds its last state.
        seed: of the initial weights of LSTM and head.
    """

    def __init__(self, encoder: Encoder, hidden: int = 64, seed: int = 0) -> None:
        super().__init__()
        at_least("encoder.hidden", hidden, 1)
        self.backbone = encoder.backbone
        with rng.seeded(seed, "sequence tower"):  # another name would change all weights
            self.memory = nn.LSTM(encoder.inputs, hidden, batch_first=True)
            self.head = nn.Linear(hidden, encoder.dim)

    def forward(self, frames: Float[Tensor, "b t c h w"]) -> Float[Tensor, "b dim"]:
        """Embed sequences of any length; float32."""
        features = self.backbone(rearrange(frames, "b t c h w -> (b t) c h w"))
        states, _ = self.memory(rearrange(features, "(b t) d -> b t d", b=len(frames)))
        return F.normalize(self.head(states[:, -1]).float(), dim=1)


class FactorHeads(nn.Module):
    """The backbone of an encoder with one linear head per factor: two of classes, one position.

    Arguments:
        digits, backgrounds: numbers of classes.
        seed: of the initial weights of the heads.
    """

    def __init__(self, encoder: Encoder, digits: int, backgrounds: int, seed: int = 0) -> None:
        super().__init__()
        self.backbone = encoder.backbone
        sizes = {"digit": digits, "position": 2, "background": backgrounds}
        with rng.seeded(seed, "heads"):
            heads = {name: nn.Linear(encoder.inputs, size) for name, size in sizes.items()}
        self.heads = nn.ModuleDict(heads)

    def forward(self, images: Float[Tensor, "b c h w"]) -> dict[str, Tensor]:
        """Return logits of the classes, and standardised positions."""
        features = self.backbone(images)
        return {name: head(features).float() for name, head in self.heads.items()}


class _FactorTraining(TrainingLoop):
    """The optimiser step that both trainings share; in one process.

    Arguments:
        modules: networks by name; they may share a backbone.
        optimizer: makes an optimiser from parameters.
    """

    def __init__(
        self,
        scenes: MovingMnist,
        modules: dict[str, nn.Module],
        optimizer: MakeOptimizer,
        settings: TrainingSettings,
        fabric: Fabric,
    ) -> None:
        super().__init__(settings.steps, settings.batch, math.log(settings.batch), fabric)
        self.settings, self.scenes = settings, scenes.to(fabric.device)
        self.modules = {name: m.to(fabric.device).train() for name, m in modules.items()}
        # ModuleDict lists the parameters of a shared backbone once
        self.optimizer = optimizer(nn.ModuleDict(self.modules).parameters())
        self.optimizers = {"all": self.optimizer}

    def descend(self, loss: Tensor, name: str) -> Metrics:
        """Take one step down a loss; return the loss and the learning rate."""
        value = self.finite(name, loss)
        warmup = self.settings.warmup
        set_rate(self.optimizer, factor("cosine", self.step, self.steps, warmup=warmup))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": value, "rate": self.optimizer.param_groups[0]["lr"]}


class ContrastiveFactors(_FactorTraining):
    """Training of f1, of sequences, and f2, of images, on pairs that share chosen factors.

    f1 may use the backbone of f2.
    """

    def __init__(
        self,
        scenes: MovingMnist,
        sharing: Sharing,
        f1: SequenceEncoder,
        f2: Encoder,
        optimizer: MakeOptimizer,
        settings: TrainingSettings,
        fabric: Fabric,
    ) -> None:
        super().__init__(scenes, {"f1": f1, "f2": f2}, optimizer, settings, fabric)
        self.sharing, self.f1, self.f2 = sharing, f1, f2

    @torch.no_grad()
    def make_batch(self, step: int) -> tuple[Float[Tensor, "b t c h w"], Float[Tensor, "b c h w"]]:
        """Return v1 and v2 of a batch."""
        generator = rng.generator(self.settings.seed, "shared factors", step)
        v1, v2 = self.scenes.sample_pairs(self.settings.batch, self.sharing, generator)
        return self.scenes.render(v1), self.scenes.render(v2)[:, 0]

    def advance(self) -> Metrics:
        """Train both encoders for one step."""
        start = time.perf_counter()
        v1, v2 = self.make_batch(self.step)
        data_seconds = time.perf_counter() - start
        with self.fabric.autocast():
            z1, z2 = self.f1(v1), self.f2(v2)
        scores = cosine_scores(z1, z2, self.settings.temperature)
        metrics = self.descend(infonce(scores), "L_NCE")
        metrics |= {"i_nce": self.cap - metrics["loss"], "accuracy": top1(scores)}
        return metrics | {"data_seconds": data_seconds}


class SupervisedFactors(_FactorTraining):
    """Training of a backbone and its heads on labelled single images.

    The loss is the sum of two cross-entropies and the mean squared error of the standardised
    position. So all three factors start with a weight of order 1.
    """

    def __init__(
        self,
        scenes: MovingMnist,
        model: FactorHeads,
        optimizer: MakeOptimizer,
        settings: TrainingSettings,
        fabric: Fabric,
    ) -> None:
        super().__init__(scenes, {"model": model}, optimizer, settings, fabric)
        self.model = model

    def advance(self) -> Metrics:
        """Train backbone and heads for one step."""
        start = time.perf_counter()
        generator = rng.generator(self.settings.seed, "supervised factors", self.step)
        scenes = self.scenes.sample(self.settings.batch, 1, generator)
        images = self.scenes.render(scenes)[:, 0]
        truth = {n: v.to(images.device) for n, v in self.scenes.factors(scenes).items()}
        data_seconds = time.perf_counter() - start
        with self.fabric.autocast():
            outputs = self.model(images)
        position = standardize(truth["position"], self.scenes.span)
        loss = F.cross_entropy(outputs["digit"], truth["digit"])
        loss = loss + F.cross_entropy(outputs["background"], truth["background"])
        loss = loss + F.mse_loss(outputs["position"], position)
        accuracy = (outputs["digit"].argmax(1) == truth["digit"]).float().mean().item()
        metrics = self.descend(loss, "loss")
        return metrics | {"accuracy": accuracy, "data_seconds": data_seconds}


def standardize(position: Float[Tensor, "n 2"], span: float) -> Float[Tensor, "n 2"]:
    """Return positions, uniform within 0..span, with mean 0 and variance 1."""
    return (position / span - 0.5) * math.sqrt(12)


def to_pixels(standardized: Float[Tensor, "n 2"], span: float) -> Float[Tensor, "n 2"]:
    """Invert `standardize`."""
    return (standardized / math.sqrt(12) + 0.5) * span
