"""The training loop, and the trainer that runs any method in it.

    batch t -> views -> method -> backward -> step of the optimiser -> method's memory

A loop is an iterable of metrics, one dictionary per step. It prints, logs and saves nothing;
whoever iterates decides (`infomin.runs.folder.Run.follow`). All randomness is a function of (seed,
purpose, step), so that weights, optimisers and the step are the whole state.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer

from infomin.core.errors import InputError, at_least, one_of, positive, whole_number
from infomin.core.stop_signals import STOP
from infomin.data.loader import ViewLoader
from infomin.methods.base import Batch, Embeddings, Method
from infomin.training import distributed, gradient_cache
from infomin.training.schedule import SCHEDULES, factor, set_rate

Metrics = dict[str, float]
MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]


class Diverged(ArithmeticError):
    """The loss is not finite. Raised before any parameter is changed by it."""

    def __init__(self, step: int, name: str, value: float) -> None:
        super().__init__(f"{name} is {value} at step {step}")
        self.step = step


class TrainingLoop(ABC):
    """Counts steps and collects the state of a checkpoint.

    Attributes:
        step: number of the next step, 0 at the start.
        steps: number of all steps.
        images_per_step: of all processes together.
        cap: log K of the I_NCE in the metrics, in nats; 0 without I_NCE.
        fabric: device, precision, processes.
        modules, optimizers: by name; the state.
        received: signals to stop that this process received; whoever iterates fills it.
        stop: the signal of any of several processes at the last step, 0 is none. It is the same in
            all of them.
    """

    def __init__(self, steps: int, images_per_step: int, cap: float, fabric: Fabric) -> None:
        self.step, self.steps = 0, steps
        self.images_per_step, self.cap, self.fabric = images_per_step, cap, fabric
        self.modules: dict[str, nn.Module] = {}
        self.optimizers: dict[str, Optimizer] = {}
        self.received: list[int] = []
        self.stop = 0

    def __iter__(self) -> Iterator[Metrics]:
        """Run the remaining steps."""
        while self.step < self.steps:
            metrics = self.advance()
            self.step += 1
            yield metrics

    @abstractmethod
    def advance(self) -> Metrics:
        """Run step `self.step`; the metric `data_seconds` is the time spent on making the batch."""

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs."""
        return {
            "step": self.step,
            "modules": {name: m.state_dict() for name, m in self.modules.items()},
            "optimizers": {name: o.state_dict() for name, o in self.optimizers.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a saved state."""
        for name, module in self.modules.items():
            module.load_state_dict(state["modules"][name])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.step = state["step"]

    def average_gradients(self, parameters: Iterable[nn.Parameter], numbers: Tensor) -> Tensor:
        """Average gradients and numbers over several processes; return the numbers.

        The message also tells all processes of a signal: they wait for one another only once.
        """
        flags = torch.tensor([number in self.received for number in STOP]).to(numbers)
        averaged = distributed.average_gradients(parameters, torch.cat([numbers, flags]))
        numbers, flags = averaged.split([len(numbers), len(STOP)])
        self.stop = next((n for n, f in zip(STOP, flags.tolist(), strict=True) if f > 0), 0)
        return numbers

    def finite(self, name: str, loss: Tensor) -> float:
        """Return a loss as a number.

        Raises:
            Diverged: when it is NaN or infinite.
        """
        value = loss.item()
        if not abs(value) < float("inf"):
            raise Diverged(self.step, name, value)
        return value


@dataclass(frozen=True)
class PretrainSettings:
    """Numbers of a pretraining.

    Attributes:
        epochs: passes over all training images; 0 leaves encoders as they start.
        batch: images per step, over all processes; K of an in-batch contrast.
        temperature: tau of the cosine scores of methods that contrast.
        warmup: share of the steps in which the learning rate rises.
        schedule, final, decay: of the learning rate; `kind`, `final` and `gamma` of
            `schedule.factor`.
        seed: of weights, order, crops and all other sampling.
        chunk: images embedded, and compared with all others, at a time, for batches that do not
            fit into memory; None is all.
    """

    epochs: int = 20
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
            raise InputError(f"batch: expected at least 2 images, got {self.batch}")
        one_of("pretrain.schedule", self.schedule, SCHEDULES)
        for name, share in (("final", self.final), ("decay", self.decay)):
            if not 0 <= share <= 1:
                raise InputError(f"pretrain.{name}: expected a share within [0, 1], got {share}")
        if not 0 <= self.warmup < 1:
            raise InputError(f"warmup: expected a share within [0, 1), got {self.warmup}")

    def rate(self, step: int, steps: int) -> float:
        """Return the share of the peak learning rate at a step."""
        return factor(self.schedule, step, steps, self.warmup, self.final, gamma=self.decay)


class Trainer(TrainingLoop):
    """Trains the encoders of a method; it knows no method, and no method knows it.

    Arguments:
        method: embeds views and makes a loss of them.
        loader: makes the views of a batch.
        optimizer: makes one from parameters.
        settings: the numbers.
        fabric: device, precision, processes.

    Raises:
        InputError: when the batch does not divide among the processes, or the method refuses it.
    """

    def __init__(
        self,
        method: Method,
        loader: ViewLoader,
        optimizer: MakeOptimizer,
        settings: PretrainSettings,
        fabric: Fabric,
    ) -> None:
        steps = settings.epochs * loader.batches.per_epoch
        super().__init__(steps, settings.batch, method.cap or 0.0, fabric)
        self.share = distributed.share(fabric, settings.batch)
        method.check(self.share)
        distributed.share_batch_norm(fabric, method)
        self.method, self.loader, self.settings = method, loader, settings
        method.to(fabric.device).train()
        loader.views.to(fabric.device)
        self.parameters = [p for p in method.parameters() if p.requires_grad]
        self.optimizer = optimizer(self.parameters)
        self.modules, self.optimizers = {"method": method}, {"method": self.optimizer}

    def advance(self) -> Metrics:
        """Run one step of the method."""
        method, chunk, autocast = self.method, self.settings.chunk, self.fabric.autocast
        began = time.perf_counter()
        chunks = self.loader.load(self.step, self.share, chunk)
        waited = time.perf_counter() - began
        batch = Batch(self.loader.batches(self.step), self.step, self.share)

        targets = self._targets(chunks, batch)
        if chunk is None:
            with autocast():
                own = method.embed(chunks[0], batch)
        else:
            own = gradient_cache.embed(method, chunks, batch, autocast)
        z, targets = self._gathered(own, targets)
        loss, metrics = method.loss(z, targets, batch)
        single = self.fabric.world_size == 1
        value = self.finite("loss", loss) if single else 0.0

        set_rate(self.optimizer, self.settings.rate(self.step, self.steps))
        self.optimizer.zero_grad()
        loss.backward()
        if chunk is not None:
            gradient_cache.pass_on(method, chunks, own, batch, autocast)
        if not single:
            (joint,) = self.average_gradients(self.parameters, loss[None])
            value = self.finite("loss", joint)
        self.optimizer.step()
        with torch.no_grad():
            method.update(z, targets, batch)
        rate = self.optimizer.param_groups[0]["lr"]
        return {"loss": value, **metrics, "rate": rate, "data_seconds": waited}

    def _targets(self, chunks: list[Mapping[int, Tensor]], batch: Batch) -> Mapping[int, Tensor]:
        """Return the targets of this process's share."""
        if not self.method.targets_in_chunks and len(chunks) > 1:
            chunks = [{i: torch.cat([views[i] for views in chunks]) for i in chunks[0]}]
        with torch.no_grad(), self.fabric.autocast():
            parts = [self.method.targets(views, batch) for views in chunks]
        return {i: torch.cat([part[i] for part in parts]) for i in parts[0]}

    def _gathered(self, z: Embeddings, targets: Embeddings) -> tuple[Embeddings, Embeddings]:
        """Return embeddings and targets of all processes, where the loss compares them."""
        if self.fabric.world_size == 1 or not self.method.compares_samples:
            return z, targets
        sides = {False: z, True: targets}
        own = {(is_target, i): e for is_target, side in sides.items() for i, e in side.items()}
        joined = distributed.gather(own)
        z = {i: e for (is_target, i), e in joined.items() if not is_target}
        return z, {i: e.detach() for (is_target, i), e in joined.items() if is_target}
