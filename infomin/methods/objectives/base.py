"""What encoders are trained by: losses over pairs of views, and where negatives come from."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from infomin.core import presence
from infomin.core.errors import InputError
from infomin.core.presence import Here, Places, Present
from infomin.core.shapes import Seen
from infomin.losses import BOTH_WAYS, pairs, sides, softmax, total, ways, weights_of
from infomin.methods.objectives.contrasts import Contrast, Softmax
from infomin.models import Encoders

Embeddings = Sequence[Float[Tensor, "_ d"]]
"""One of each view and sample; zeros, and never looked at, where a sample lacks a view. None at all
of a view that no direction needs."""


@dataclass(frozen=True)
class Embedded:
    """A batch, as anchors and what they are compared with.

    Attributes:
        z: embeddings of the views, of length 1.
        keys: see `Objective.keys`.
        index: of the samples in the data.
    """

    z: Embeddings
    keys: Embeddings
    index: Int64[Tensor, " b"]


class Told(NamedTuple):
    """What an objective says of a batch.

    Attributes:
        loss: to be minimised, summed over pairs of views.
        i_nce: log K minus the softmax loss of the same scores, mean over pairs, nats; K is that of
            each pair, where samples lack views.
        accuracy: share of anchors whose positive scores highest, of the first pair.
    """

    loss: Tensor
    i_nce: float
    accuracy: float


class Objective(nn.Module):
    """Scores a batch; members say what an anchor is compared with. What they remember is state.

    Where samples lack views, the loss of a pair of views is that of the samples of the batch that
    have both, and a pair that fewer than two have adds nothing to the step.

    Arguments:
        views: M.
        negatives: of every anchor.
        contrast: the loss of one direction.
        graph: `full`, `core`, `one_way` or `own`; see `losses.multiview`.
        weights: of its pairs; None is 1 each.
        present: who has which view, of all samples of the data; None is everybody all.

    Raises:
        InputError: for an unknown graph, wrong weights, or a graph of one direction where samples
            lack views.

    Attributes:
        cap: log K, K counting the positive.
        present: of the samples that have both views of any pair; of others nothing is used.
        anchors, others: views that ask, and views that they are compared with.
        embedded: views that go through the encoders that are trained.
        joins: whether `keys` takes a batch as a whole, not in chunks.
    """

    joins = False

    def __init__(
        self,
        views: int,
        negatives: int,
        contrast: Contrast,
        graph: str = "full",
        weights: Sequence[float] | None = None,
        present: Present | None = None,
    ) -> None:
        super().__init__()
        self.graph, self.pairs = graph, pairs(views, graph)
        self.anchors, self.others = sides(views, graph)
        self.embedded = sorted({*self.anchors, *self.others})
        if graph not in BOTH_WAYS:
            presence.needs_all(present, f"graph={graph}", "a contrast of one direction")
        self.weights = weights_of(self.pairs, weights)
        self.contrast, self.cap = contrast, math.log(negatives + 1)
        self.present = presence.paired(present, self.pairs)

    def here(self, index: Int64[Tensor, " b"]) -> Here | None:
        """Return who is there in a batch; see `presence.in_batch`."""
        return presence.in_batch(self.present, index)

    def fits(self, part: slice, chunk: int | None) -> None:
        """Make sure that a process can embed its share of a batch; by default it can.

        Arguments:
            part: which images of a batch are its share.
            chunk: embedded at a time; None is all.
        """

    @property
    def trained(self) -> Sequence[int]:
        """Views whose embeddings the loss has a gradient of."""
        return self.embedded

    def remembers(self, samples: int) -> None:
        """Make sure that what is remembered, by default nothing, is of data of so many samples."""

    def asked(self, views: tuple[Seen, ...]) -> tuple[Seen, ...]:
        """Return the views that are embedded, and nothing of the others."""
        return of_these(views, self.embedded)

    def embed(self, encoders: Encoders, views: tuple[Seen, ...]) -> Sequence[Float[Tensor, "_ d"]]:
        """Embed what is `asked` of a batch with the encoders that are trained."""
        z: Sequence[Tensor] = encoders(views)
        return z

    def keys(self, views: tuple[Seen, ...]) -> Sequence[Float[Tensor, "_ d"]]:
        """Return what else a batch is embedded as, without gradients; nothing by default."""
        return ()

    def compare(
        self, batch: Embedded, anchor: int, other: int, who: Places | None = None
    ) -> tuple[Float[Tensor, " a"], Float[Tensor, "a m"]]:
        """Return the scores of view `anchor` with its positive and negatives in view `other`.

        Arguments:
            batch: all of it.
            anchor, other: numbers of views.
            who: places in the batch of the anchors, which have both views; None is all.
        """
        raise NotImplementedError

    def update(self, z: Embeddings, keys: Embeddings, index: Tensor, encoders: Encoders) -> None:
        """Remember a batch, after its step; by default nothing is."""

    def begin(self, index: Int64[Tensor, " b"], step: int) -> None:
        """Draw what a step leaves to chance; by default nothing is."""

    def forward(self, z: Embeddings, keys: Embeddings, index: Int64[Tensor, " b"]) -> Told:
        """Return the loss of a batch, directions of a pair averaged, and what it tells.

        Arguments:
            z, keys, index: see `Embedded`.
        """
        batch = Embedded(z, keys, index)
        losses: list[Tensor] = []
        weights, softmaxes, accuracy = [], [], 0.0
        for number, pair, who in self.met(index):
            directions, both = [], ways(pair, self.graph)
            for side, (anchor, other) in enumerate(both):
                positive, negatives = self.compare(batch, anchor, other, who)
                loss = self.contrast(positive, negatives, 2 * number + side)
                directions.append(loss)
                with torch.no_grad():
                    known = isinstance(self.contrast, Softmax)
                    found = loss if known else softmax(positive, negatives)
                    softmaxes.append(self.below_cap(found, negatives.shape[1], who))
                    if not losses:
                        hit = positive >= negatives.amax(1)
                        accuracy += hit.float().mean().item() / len(both)
            losses.append(torch.stack(directions).mean())
            weights.append(self.weights[number])
        if not losses:
            return Told(z[0].new_zeros(()), 0.0, 0.0)
        i_nce = self.cap - torch.stack(softmaxes).detach().mean().item()
        return Told(total(losses, weights), i_nce, accuracy)

    def against(
        self,
        asking: Embeddings,
        z: Embeddings,
        keys: Embeddings,
        index: Int64[Tensor, " b"],
    ) -> Tensor:
        """Return the loss of other embeddings of every view, in place of those of an anchor.

        Positives and negatives are those of `forward`. Their directions have numbers of their own,
        as many, in the contrast.
        """
        losses, weights = [], []
        for number, pair, who in self.met(index):
            directions = []
            for side, (anchor, other) in enumerate(ways(pair, self.graph)):
                instead = [asking[i] if i == anchor else of_view for i, of_view in enumerate(z)]
                scores = self.compare(Embedded(instead, keys, index), anchor, other, who)
                place = 2 * (len(self.pairs) + number) + side
                directions.append(self.contrast(*scores, place))
            losses.append(torch.stack(directions).mean())
            weights.append(self.weights[number])
        return total(losses, weights)

    def met(
        self, index: Int64[Tensor, " b"]
    ) -> Iterator[tuple[int, tuple[int, int], Places | None]]:
        """Yield number and views of every pair that enough samples of a batch have, and these."""
        here = self.here(index)
        for number, (i, j) in enumerate(self.pairs):
            who = presence.both(here, i, j)
            if who is None or len(who) >= presence.FEWEST:
                yield number, (i, j), who

    def below_cap(self, loss: Tensor, negatives: int, who: Places | None) -> Tensor:
        """Return how far I_NCE is below the cap: a loss, and more where negatives are fewer."""
        below = loss.detach()
        return below if who is None else below + (self.cap - math.log(negatives + 1))


def of_these(views: tuple[Seen, ...], which: Sequence[int]) -> tuple[Seen, ...]:
    """Return some views, and no image of the others."""
    return tuple(v if i in which else v[:0] for i, v in enumerate(views))


def needs_rows(graph: str, memory: str) -> None:
    """Refuse to compare an image with its own row where there are no rows.

    Raises:
        InputError: for `graph=own` with another memory than a bank.
    """
    if graph == "own":
        raise InputError(
            "graph: own compares an image with its row of a bank, expected memory=bank, got "
            f"{memory}; set memory=bank, or graph=full"
        )
