r"""Contrastive methods: a loss summed over pairs of views (CMC, arXiv:1906.05849, section 3.3).

A method says by `scores` what an anchor is compared with; everything else is common to all. The
loss of one direction of a pair is one of three:

    infonce    needs nothing but scores
    logistic   has a constant Z for every direction, which the first batch sets to n times the mean
               exp of all its scores, positives among them (CMC's code); with `every` > 0 it is
               estimated anew after so many steps, since untrained encoders say little about Z
    triplet    compares cosines
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from infomin.core.errors import InputError, one_of, option_errors, whole_number
from infomin.losses import (
    check_pair_weights,
    directions,
    estimated_log_z,
    logistic,
    softmax,
    triplet,
    view_pairs,
)
from infomin.methods.base import Batch, Context, Embeddings, LossOutput, Method
from infomin.models import Encoders

SOFTMAX: Mapping[str, Any] = {"name": "infonce"}


class PairLoss(nn.Module):
    """A loss of the scores `(b,)` of positives and `(b, m)` of negatives.

    Arguments:
        directions: number of directions, two per pair of views.
        samples: n, number of training images.
        temperature: tau of the scores.
    """

    forward: Callable[[Tensor, Tensor, int], Tensor]
    """The loss of scores in one direction, given by its number."""

    def __init__(self, directions: int, samples: int, temperature: float) -> None:
        super().__init__()
        self.directions, self.samples, self.temperature = directions, samples, temperature


class SoftmaxLoss(PairLoss):
    """InfoNCE, in nats."""

    def forward(self, positive: Tensor, negatives: Tensor, direction: int) -> Tensor:
        """Return -log of the softmax of the positive."""
        return softmax(positive, negatives)


class LogisticLoss(PairLoss):
    """Noise-contrastive estimation, in nats.

    Arguments:
        every: steps after which Z is estimated anew; 0 estimates it once.
        directions, samples, temperature: see `PairLoss`.
    """

    log_z: Tensor
    steps: Tensor

    def __init__(self, directions: int, samples: int, temperature: float, every: int = 0) -> None:
        super().__init__(directions, samples, temperature)
        whole_number("loss.every", every, 0)
        self.every = every
        self.register_buffer("log_z", torch.zeros(directions))
        self.register_buffer("steps", torch.zeros(directions, dtype=torch.int64))

    def forward(self, positive: Tensor, negatives: Tensor, direction: int) -> Tensor:
        """Return the loss; in training, estimate Z first when it is due."""
        if self.training:
            steps = int(self.steps[direction])
            if steps == 0 or (self.every and steps % self.every == 0):
                self.log_z[direction] = estimated_log_z(positive, negatives, self.samples)
            self.steps[direction] += 1
        return logistic(positive, negatives, self.log_z[direction], self.samples)


class TripletLoss(PairLoss):
    """A hinge on the difference of cosines.

    Arguments:
        margin: least lead of the cosine of the positive, within (0, 2].
        directions, samples, temperature: see `PairLoss`.
    """

    def __init__(
        self, directions: int, samples: int, temperature: float, margin: float = 0.2
    ) -> None:
        super().__init__(directions, samples, temperature)
        if not (isinstance(margin, int | float) and 0 < margin <= 2):
            raise InputError(
                f"loss.margin: expected a difference of cosines in (0, 2], got {margin}"
            )
        self.margin = margin

    def forward(self, positive: Tensor, negatives: Tensor, direction: int) -> Tensor:
        """Return the loss, in the unit of cosines."""
        t = self.temperature
        return triplet(t * positive, t * negatives, self.margin)


PAIR_LOSSES: dict[str, type[PairLoss]] = {
    "infonce": SoftmaxLoss,
    "logistic": LogisticLoss,
    "triplet": TripletLoss,
}


def build_pair_loss(
    options: Mapping[str, Any], directions: int, samples: int, temperature: float
) -> PairLoss:
    """Build a loss from `name`, one of `PAIR_LOSSES`, and its own options.

    Raises:
        InputError: for an unknown name or option.
    """
    own = dict(options)
    name = own.pop("name")
    one_of("loss", name, PAIR_LOSSES)
    with option_errors(f"loss={name}"):
        return PAIR_LOSSES[name](directions, samples, temperature, **own)


class PairOutput(NamedTuple):
    """The loss of a pair of views.

    Attributes:
        loss: mean over the directions of the pair.
        infonce: the softmax loss of the same scores, of every direction, in nats.
        log_k: K counts the positive.
        accuracy: share of anchors whose positive scores highest.
    """

    loss: Float[Tensor, ""]
    infonce: Sequence[Float[Tensor, ""]]
    log_k: float
    accuracy: float | Float[Tensor, ""]


def memory_options(
    memory: Mapping[str, Any] | None, method: str, kinds: Sequence[str]
) -> tuple[str, dict[str, Any]]:
    """Return the kind of a memory and its options.

    Arguments:
        memory: `kind`, one of `none`, `bank`, `queue`, and its options; None is none.
        method: that the memory is for.
        kinds: that the method can have.

    Raises:
        InputError: for another kind, or options without a memory.
    """
    options = dict(memory or {"kind": "none"})
    kind = options.pop("kind")
    if kind not in kinds:
        raise InputError(
            f"memory: expected {' or '.join(kinds)} with method={method}, got {kind}; set "
            f"memory={kinds[0]}, or another method"
        )
    if kind == "none" and options:
        raise InputError(
            f"memory: none takes no options, got {', '.join(options)}; set memory=bank or "
            "memory=queue, or leave them out"
        )
    return kind, options


class ContrastiveMethod(Method):
    """Contrasts pairs of views.

    Arguments:
        encoders, context: see `Method`.
        loss: `name` of a pair loss, `infonce`, `logistic` or `triplet`, and its options.
        memory: `kind`, one of `memories`, and the options of `build_negatives`; None is `none`.
        graph: pairs of views, `full`, `core`, `one_way` or `own`; see `losses.multiview`.
        pair_weights: of the pairs of views; None is 1 each.

    Attributes:
        memories: kinds of memory that the method can have.
        build_negatives: builds what holds negatives; returns their number for an anchor, K - 1.

    Raises:
        InputError: for an unknown loss, graph, memory or option, or wrong weights.
    """

    memories: tuple[str, ...] = ("none",)
    build_negatives: Callable[..., int]

    def __init__(
        self,
        encoders: Encoders,
        context: Context,
        loss: Mapping[str, Any] = SOFTMAX,
        memory: Mapping[str, Any] | None = None,
        graph: str = "full",
        pair_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__(encoders, context)
        kind, options = memory_options(memory, type(self).__name__.lower(), self.memories)
        if graph == "own" and kind != "bank":
            raise InputError(
                "graph: own compares an image with its row of a bank, expected memory=bank, got "
                f"{kind}; set memory=bank, or graph=full"
            )
        self.memory, self.graph = kind, graph
        self.pairs = view_pairs(len(encoders), graph)
        self.directions = [directions(pair, graph) for pair in self.pairs]
        self.anchors = sorted({i for ways in self.directions for i, _ in ways})
        self.others = sorted({j for ways in self.directions for _, j in ways})
        self.weights = check_pair_weights(self.pairs, pair_weights)
        self.temperature = context.temperature
        self.pair_loss = build_pair_loss(
            loss, 2 * len(self.pairs), context.samples, context.temperature
        )
        with option_errors(f"memory={kind}"):
            self.cap = math.log(self.build_negatives(**options) + 1)

    @property
    def trained_views(self) -> Sequence[int]:
        """Numbers of the views whose encoders get a gradient."""
        return self.views

    @property
    def views(self) -> tuple[int, ...]:
        """Numbers of the views that the graph needs."""
        return tuple(sorted({*self.anchors, *self.others}))

    def check(self, share: slice) -> None:
        """Refuse encoders that the graph would never train; see `Method.check`."""
        if not self.encoders.shared and len(self.trained_views) < len(self.encoders):
            raise InputError(
                f"graph: {self.graph} trains the encoder of view 1 only, and every view has its "
                "own; set graph=full, or encoders=shared"
            )

    def scores(
        self, anchor: Tensor, i: int, j: int, z: Embeddings, targets: Embeddings, batch: Batch
    ) -> tuple[Float[Tensor, " b"], Float[Tensor, "b m"]]:
        """Return the scores of anchors with their positives and negatives.

        Arguments:
            anchor: `(b, d)`, embeddings of length 1: those of view i, or others in their place.
            i, j: numbers of the anchor's view and of the view that it is compared with.
            z, targets, batch: see `Method.loss`.
        """
        raise NotImplementedError

    def contrast(self, number: int, z: Embeddings, targets: Embeddings, batch: Batch) -> PairOutput:
        """Return the loss of the pair of this number."""
        losses, infonce, hits, log_k = [], [], [], 0.0
        for side, (i, j) in enumerate(self.directions[number]):
            positive, negatives = self.scores(z[i], i, j, z, targets, batch)
            losses.append(self.pair_loss(positive, negatives, 2 * number + side))
            with torch.no_grad():
                is_softmax = isinstance(self.pair_loss, SoftmaxLoss)
                infonce.append(losses[-1] if is_softmax else softmax(positive, negatives))
                hits.append((positive >= negatives.amax(1)).float().mean())
            log_k = math.log(negatives.shape[1] + 1)
        return PairOutput(torch.stack(losses).mean(), infonce, log_k, torch.stack(hits).mean())

    def loss(self, z: Embeddings, targets: Embeddings, batch: Batch) -> LossOutput:
        """Return the weighted sum over the pairs of views of the batch.

        I_NCE is the mean over pairs of log K minus the softmax loss; accuracy is that of the first
        pair.
        """
        views = {*z, *targets}
        numbers = [n for n, (i, j) in enumerate(self.pairs) if i in views and j in views]
        outputs = [self.contrast(number, z, targets, batch) for number in numbers]
        infonce = torch.stack([nats.detach() for output in outputs for nats in output.infonce])
        log_k = sum(output.log_k for output in outputs) / len(outputs)
        metrics = {"i_nce": log_k - infonce.mean().item(), "accuracy": float(outputs[0].accuracy)}
        losses = [self.weights[n] * o.loss for n, o in zip(numbers, outputs, strict=True)]
        return LossOutput(torch.stack(losses).sum(), metrics)
