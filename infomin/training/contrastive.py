r"""Pretraining: f_1, ..., f_M learn to find the same image in other views (CMC, arXiv:1906.05849).

Views are raw channels or those of a frozen generator; an objective says what embeddings are
compared with, by default in-batch InfoNCE between every pair of views.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer

from infomin.augment import Augment
from infomin.core import presence, rng
from infomin.core.errors import InputError, at_least, one_of, positive, whole_number
from infomin.data import Batches
from infomin.methods.objectives import Objective, build_objective
from infomin.models import Encoders
from infomin.training import distributed as parallel
from infomin.training import gradient_cache
from infomin.training.jigsaw import JigSawBranch
from infomin.training.learner import Learner, Metrics
from infomin.training.schedule import SCHEDULES, factor, set_rate
from infomin.views import View

MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]


@dataclass(frozen=True)
class ContrastiveSettings:
    """Numbers of a pretraining.

    Attributes:
        epochs: passes over all training images; 0 leaves encoders as they start.
        batch: images a step, over all processes; K of the loss.
        temperature: tau of the cosine critic.
        warmup: share of the steps in which the rate rises.
        schedule, final, decay: of the rate; `kind`, `final` and `gamma` of `schedule.factor`.
        seed: of weights, order, crops and whatever else is drawn.
        chunk: images embedded, and compared with all others, at a time, for batches that do not
            fit; None is all.
    """

    epochs: int = 10
    batch: int = 256
    temperature: float = 0.1
    warmup: float = 0.1
    seed: int = 0
    chunk: int | None = None
    schedule: str = "cosine"
    final: float = 0.0
    decay: float = 0.1

    def __post_init__(self) -> None:
        at_least("epochs", self.epochs, 0)
        if self.chunk is not None:
            whole_number("chunk", self.chunk, 1)
        positive("temperature", self.temperature)
        if self.batch < 2:
            raise InputError(f"batch: InfoNCE needs at least 2 images, got {self.batch}")
        one_of("pretrain.schedule", self.schedule, SCHEDULES)
        for name, number in (("final", self.final), ("decay", self.decay)):
            if not 0 <= number <= 1:
                raise InputError(f"pretrain.{name}: expected a share within [0, 1], got {number}")
        if not 0 <= self.warmup < 1:
            raise InputError(f"warmup: expected a share within [0, 1), got {self.warmup}")

    def rate(self, step: int, steps: int) -> float:
        """Return the share of the peak learning rate at a step."""
        return factor(self.schedule, step, steps, self.warmup, self.final, gamma=self.decay)


class Pretraining(Learner):
    """Trains one encoder per view.

    Arguments:
        views: frozen.
        encoders: one per view.
        images: all training images, `n c h w`, in their own type, resident.
        augment: cuts the crops, and may change their colours.
        optimizer: makes one from parameters.
        settings: the numbers.
        fabric: device, precision, processes.
        objective: what the encoders are trained by; None is in-batch InfoNCE. It knows who has
            which view: samples of which no pair can be had are left out.
        jigsaw: puzzles beside the views, of which no sample may lack one; None is none.

    Raises:
        InputError: for encoders that are not one for each view, or would never be trained, a bank
            of other data, a batch larger than the data, images too small for views or puzzles, or
            several processes, or puzzles, where samples lack views.
    """

    def __init__(
        self,
        views: View,
        encoders: Encoders,
        images: Tensor,
        augment: Augment,
        optimizer: MakeOptimizer,
        settings: ContrastiveSettings,
        fabric: Fabric,
        objective: Objective | None = None,
        jigsaw: JigSawBranch | None = None,
    ) -> None:
        if len(encoders) != len(views.view_channels):
            raise InputError(
                f"encoders: expected {len(views.view_channels)}, one for each view of {views}, got "
                f"{len(encoders)}"
            )
        objective = objective or build_objective(
            encoders, len(images), settings.batch, settings.temperature, chunk=settings.chunk
        )
        if objective.present is not None and fabric.world_size > 1:
            raise InputError(
                "devices: expected 1 where samples lack views, whose batch statistics processes "
                f"cannot share, got {fabric.world_size}; set devices=1"
            )
        contributing = presence.somebody(objective.present)
        drawn_from = len(images) if contributing is None else contributing
        self.batches = Batches(
            drawn_from, settings.batch, settings.seed, "pretrain", "pretrain.batch"
        )
        objective.remembers(len(images))
        if not encoders.shared and {*range(len(encoders))} != {*objective.trained}:
            raise InputError(
                f"graph: {objective.graph} trains the encoder of view 1 alone, and every view has "
                "its own; set graph=full, or encoders=shared"
            )
        steps = settings.epochs * self.batches.per_epoch
        super().__init__(steps, settings.batch, objective.cap, fabric)
        self.part = parallel.share(fabric, settings.batch)
        objective.fits(self.part, settings.chunk)
        self.settings, self.augment = settings, augment
        height, width = images.shape[2:]
        views.fits(*augment.frame(height, width))
        if jigsaw is not None:
            presence.needs_all(objective.present, "jigsaw", "a puzzle")
            jigsaw.cut.fits(height, width)
        self.images = images.to(fabric.device)
        self.views = views.to(fabric.device)
        parallel.share_batch_norm(fabric, encoders)
        self.encoders = encoders.to(fabric.device).train()
        parallel.share_batch_norm(fabric, objective)
        self.objective = objective.to(fabric.device).train()
        self.modules = {"encoders": self.encoders, "objective": self.objective}
        self.parameters, self.jigsaw = [*self.encoders.parameters()], jigsaw
        if jigsaw is not None:
            self.modules["jigsaw"] = jigsaw.encoders.heads.to(fabric.device)
            self.parameters += jigsaw.encoders.heads.parameters()
        self.optimizer = optimizer(self.parameters)
        self.optimizers = {"encoders": self.optimizer}

    @torch.no_grad()
    def make(self, step: int) -> gradient_cache.Chunks:
        """Return the views of this process's share of batch `step`, in chunks where asked.

        Of views that samples lack, those that are there: nothing else enters an encoder.
        """
        first, last = self.part.start, self.part.stop
        size = self.settings.chunk or last - first
        drawn = self.views.sample(
            self.settings.batch, rng.generator(self.settings.seed, "combine", step)
        )
        number = 1 if self.objective.graph == "own" else self.views.crops  # one view: one crop
        chunks = []
        for start in range(first, last, size):
            part = slice(start, min(start + size, last))
            crops, _ = self.batches.crops(self.images, step, self.augment, number, part)
            chunks.append(self.views(*crops, drawn=drawn and drawn.part(part)))
        return presence.in_chunks(chunks, self.objective.here(self.batches(step)), size)

    def keys(self, chunks: gradient_cache.Chunks, here: presence.Here | None) -> list[Tensor]:
        """Return what else the objective embeds a batch as, of all processes."""
        if self.objective.joins:
            chunks = [tuple(torch.cat(of_view) for of_view in zip(*chunks, strict=True))]
        with self.fabric.autocast():
            parts = [self.objective.keys(views) for views in chunks]
        joined = [torch.cat(of_view) for of_view in zip(*parts, strict=True)]
        joined = presence.put_back(joined, here)
        return [parallel.gather(self.fabric, of_view) for of_view in joined]

    def pieces(self, step: int) -> gradient_cache.Chunks:
        """Return the puzzles of this process's share of batch `step`, in chunks where asked."""
        if self.jigsaw is None:
            return []
        size = self.settings.chunk or self.part.stop - self.part.start
        return self.jigsaw.make(self.images, self.batches, step, self.part, size)

    def solved(self, pieces: gradient_cache.Chunks) -> Sequence[Tensor]:
        """Embed puzzles, if there are."""
        if self.jigsaw is None:
            return ()
        if self.settings.chunk is not None:
            return gradient_cache.embed(self.jigsaw.encoders, pieces, self.fabric.autocast)
        with self.fabric.autocast():
            z: Sequence[Tensor] = self.jigsaw.encoders(pieces[0])
        return z

    def advance(self) -> Metrics:
        """One step of all encoders."""
        began = time.perf_counter()
        chunks = self.make(self.step)
        pieces = self.pieces(self.step)
        waited = time.perf_counter() - began
        index, autocast = self.batches(self.step), self.fabric.autocast
        here = self.objective.here(index)
        self.objective.begin(index, self.step)
        keys = self.keys(chunks, here)
        chunks = [self.objective.asked(views) for views in chunks]
        own: Sequence[Tensor]
        if self.settings.chunk is not None:
            own = gradient_cache.embed(self.encoders, chunks, autocast)
        else:
            with autocast():
                own = self.objective.embed(self.encoders, chunks[0])
        z = [parallel.gather(self.fabric, of_view) for of_view in presence.put_back(own, here)]
        loss, i_nce, accuracy = self.objective(z, keys, index)
        losses, puzzles = {}, self.solved(pieces)
        if self.jigsaw is not None:
            told = [parallel.gather(self.fabric, of_view) for of_view in puzzles]
            asking = self.jigsaw.encoders.of_views(told)
            of_puzzles = self.objective.against(asking, z, keys, index)
            losses = {"loss_views": loss.item(), "loss_jigsaw": of_puzzles.item()}
            loss = self.jigsaw.mixed(loss, of_puzzles)
        value = self.finite("loss", loss)
        set_rate(self.optimizer, self.settings.rate(self.step, self.steps))
        self.optimizer.zero_grad()
        if loss.requires_grad:  # not where no two samples of a batch have the same two views
            loss.backward()
        if self.settings.chunk is not None:
            gradient_cache.pass_on(self.encoders, chunks, own, autocast)
            if self.jigsaw is not None:
                gradient_cache.pass_on(self.jigsaw.encoders, pieces, puzzles, autocast)
        parallel.average_gradients(self.fabric, self.parameters)
        self.optimizer.step()
        self.objective.update(z, keys, index, self.encoders)
        return {
            "loss": value,
            **losses,
            "i_nce": i_nce,
            "accuracy": accuracy,
            "rate": self.optimizer.param_groups[0]["lr"],
            "data_seconds": waited,
        }
