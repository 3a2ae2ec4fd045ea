"""What the training loops have in common: they count steps, yield metrics and can be saved.

A learner is an iterable of metric dicts, one a step. It prints, logs and saves nothing; whoever
iterates decides (`infomin.runs.folder.Run.follow`). All randomness is a function of (seed, purpose,
step), so that weights, optimisers and the step are the whole state.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim import Optimizer

Metrics = dict[str, float]


class Diverged(ArithmeticError):
    """The loss is not finite. Raised before any parameter is changed by it."""

    def __init__(self, step: int, name: str, value: float) -> None:
        super().__init__(f"{name} is {value} at step {step}")
        self.step = step


class Learner(ABC):
    """Counts steps and collects what a checkpoint holds.

    Attributes:
        step: the next step, 0 at the start.
        steps: how many there are.
        images_per_step: of all processes together.
        cap: log K of the I_NCE in the metrics, nats.
        fabric: device, precision, processes.
        modules, optimizers: by name; the state.
    """

    def __init__(self, steps: int, images_per_step: int, cap: float, fabric: Fabric) -> None:
        self.step, self.steps = 0, steps
        self.images_per_step, self.cap, self.fabric = images_per_step, cap, fabric
        self.modules: dict[str, nn.Module] = {}
        self.optimizers: dict[str, Optimizer] = {}

    def __iter__(self) -> Iterator[Metrics]:
        """Run the steps that are left."""
        while self.step < self.steps:
            metrics = self.advance()
            self.step += 1
            yield metrics

    @abstractmethod
    def advance(self) -> Metrics:
        """Do step `self.step`; `data_seconds` is the time spent on making the batch."""

    def state_dict(self) -> dict[str, Any]:
        """Return everything that a resumed run needs."""
        return {
            "step": self.step,
            "modules": {name: m.state_dict() for name, m in self.modules.items()},
            "optimizers": {name: o.state_dict() for name, o in self.optimizers.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to a saved state."""
        for name, module in self.modules.items():
            module.load_state_dict(state["modules"][name])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.step = state["step"]

    def finite(self, name: str, loss: Tensor) -> float:
        """Return a loss as a number.

        Raises:
            Diverged: when it is NaN or infinite.
        """
        value = loss.item()
        if not abs(value) < float("inf"):
            raise Diverged(self.step, name, value)
        return value
