"""The contract of a method: how encoders learn from the views of a batch.

The trainer calls the four functions in this order, once a step:

    targets = method.targets(views, batch)        without gradient
    z       = method.embed(views, batch)          with gradient, a chunk of the batch at a time
    loss    = method.loss(z, targets, batch)      of the whole batch, over all processes
              ... backward, optimiser step ...
              method.update(z, targets, batch)    memory bank, queue, momentum encoder

Views and embeddings are dictionaries from the number of a view, 0 the first, to a tensor. All
samples of a batch have the same views, but batches may differ in their views.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from infomin.core.errors import positive
from infomin.core.registry import Registry
from infomin.models import Encoders

Views = Mapping[int, Float[Tensor, "_ ..."]]
Embeddings = Mapping[int, Float[Tensor, "_ ..."]]
Metrics = dict[str, float]


@dataclass(frozen=True)
class Batch:
    """The samples of one step.

    Attributes:
        index: of the samples in the data, of all processes.
        step: number of the step, 0 the first.
        share: rows of the batch that this process embeds.
    """

    index: Int64[Tensor, " b"]
    step: int = 0
    share: slice = field(default_factory=lambda: slice(None))


@dataclass(frozen=True)
class Context:
    """Facts of a training that a method depends on.

    Attributes:
        samples: n, number of training images.
        batch: images per step, over all processes.
        temperature: tau of cosine scores.
        steps: of the whole training; 0 where it is not known.
        seed: of memories and of sampled negatives.
        chunk: images embedded, and rows of scores computed, at a time; None is all.
        rows: samples that have each view, by number of the view; None is all, for every view.
    """

    samples: int
    batch: int
    temperature: float = 0.1
    steps: int = 0
    seed: int = 0
    chunk: int | None = None
    rows: Mapping[int, Int64[Tensor, " r"]] | None = None

    def __post_init__(self) -> None:
        positive("temperature", self.temperature)


class LossOutput(NamedTuple):
    """A loss and the metrics of its batch.

    Attributes:
        loss: scalar to minimise.
        metrics: `i_nce` in nats, `accuracy`, ..., as far as the method has them.
    """

    loss: Float[Tensor, ""]
    metrics: Metrics


class Method(nn.Module):
    """Trains encoders; all parameters that require a gradient are trained, heads included.

    Arguments:
        encoders: one per view, or one for all views.
        context: facts of the training.

    Attributes:
        cap: log K in nats, the largest I_NCE that can be measured; None without negatives.
        compares_samples: whether the loss compares samples of a batch with one another. If not, it
            is a mean over samples, and processes average it instead of gathering embeddings.
        targets_in_chunks: whether `targets` may be called with chunks of a batch.
        trains_embeddings: whether the heads of the encoders are trained. If not, only features
            are worth evaluating.
        needs_same_pixels: whether all views have to show the same pixels of an image.
    """

    cap: float | None = None
    compares_samples = True
    targets_in_chunks = True
    trains_embeddings = True
    needs_same_pixels = False

    def __init__(self, encoders: Encoders, context: Context) -> None:
        super().__init__()
        self.encoders, self.context = encoders, context

    @property
    def views(self) -> Sequence[int]:
        """Numbers of the views that the method reads; the others are not even made."""
        return range(len(self.encoders))

    def check(self, share: slice) -> None:
        """Raise an InputError for a training that cannot work, before its first step.

        Arguments:
            share: rows of a batch that this process embeds.
        """

    def check_layer(self, layer: str | None) -> None:
        """Raise an InputError for a layer of the backbones, None is the last, that is untrained."""

    def embed(self, views: Views, batch: Batch) -> Embeddings:
        """Return the embeddings of views, with gradient."""
        return {i: self.encoders[i](v) for i, v in views.items()}

    @torch.no_grad()
    def targets(self, views: Views, batch: Batch) -> Embeddings:
        """Return further embeddings of views, without gradient, such as those of slow encoders."""
        return {}

    def loss(self, z: Embeddings, targets: Embeddings, batch: Batch) -> LossOutput:
        """Return the loss of a batch and its metrics."""
        raise NotImplementedError

    @torch.no_grad()
    def update(self, z: Embeddings, targets: Embeddings, batch: Batch) -> None:
        """Update what the method remembers, after the step of the optimiser."""


METHODS: Registry[type[Method]] = Registry("method")
"""Methods by name: `@METHODS.register("byol")` above a class adds one."""


@torch.no_grad()
def follow(slow: nn.Module, fast: nn.Module, momentum: float) -> None:
    """Move the weights of a momentum encoder: slow <- momentum slow + (1 - momentum) fast."""
    torch._foreach_lerp_([*slow.parameters()], [*fast.parameters()], 1 - momentum)  # one kernel
