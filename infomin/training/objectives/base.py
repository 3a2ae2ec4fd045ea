"""What encoders are trained by: losses over pairs of views, and where negatives come from."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from infomin import presence
from infomin.encoders import Towers
from infomin.losses import pairs, softmax, total, weights_of
from infomin.presence import Here, Places, Present
from infomin.shapes import Seen
from infomin.training.objectives.contrasts import Contrast, Softmax

Embeddings = Sequence[Float[Tensor, "b d"]]
"""One of each view and sample; zeros, and never looked at, where a sample lacks a view."""


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
        graph: `full` or `core`; see `losses.multiview`.
        weights: of its pairs; None is 1 each.
        present: who has which view, of all samples of the data; None is everybody all.

    Attributes:
        cap: log K, K counting the positive.
        present: of the samples that have both views of any pair; of others nothing is used.
    """

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
        self.pairs = pairs(views, graph)
        self.weights = weights_of(self.pairs, weights)
        self.contrast, self.cap = contrast, math.log(negatives + 1)
        self.present = presence.paired(present, self.pairs)

    def here(self, index: Int64[Tensor, " b"]) -> Here | None:
        """Return who is there in a batch; see `presence.in_batch`."""
        return presence.in_batch(self.present, index)

    def keys(self, views: tuple[Seen, ...]) -> Sequence[Float[Tensor, "_ d"]]:
        """Return what else a batch is embedded as, without gradients; nothing by default."""
        return ()

    def compare(
        self,
        z: Embeddings,
        keys: Embeddings,
        index: Int64[Tensor, " b"],
        anchor: int,
        other: int,
        who: Places | None = None,
    ) -> tuple[Float[Tensor, " a"], Float[Tensor, "a m"]]:
        """Return the scores of view `anchor` with its positive and negatives in view `other`.

        Arguments:
            z, keys, index: see `forward`.
            anchor, other: numbers of views.
            who: places in the batch of the anchors, which have both views; None is all.
        """
        raise NotImplementedError

    def update(self, z: Embeddings, keys: Embeddings, index: Tensor, towers: Towers) -> None:
        """Remember a batch, after its step; by default nothing is."""

    def begin(self, index: Int64[Tensor, " b"], step: int) -> None:
        """Draw what a step leaves to chance; by default nothing is."""

    def forward(self, z: Embeddings, keys: Embeddings, index: Int64[Tensor, " b"]) -> Told:
        """Return the loss of a batch, both directions averaged, and what it tells.

        Arguments:
            z: embeddings of the views, of length 1.
            keys: see `keys`.
            index: of the samples in the data.
        """
        losses: list[Tensor] = []
        weights, softmaxes, accuracy = [], [], 0.0
        for number, (i, j), who in self.met(index):
            directions = []
            for side, (anchor, other) in enumerate(((i, j), (j, i))):
                positive, negatives = self.compare(z, keys, index, anchor, other, who)
                loss = self.contrast(positive, negatives, 2 * number + side)
                directions.append(loss)
                with torch.no_grad():
                    known = isinstance(self.contrast, Softmax)
                    found = loss if known else softmax(positive, negatives)
                    softmaxes.append(self.below_cap(found, negatives.shape[1], who))
                    if not losses:
                        hit = positive >= negatives.amax(1)
                        accuracy += hit.float().mean().item() / 2
            losses.append(torch.stack(directions).mean())
            weights.append(self.weights[number])
        if not losses:
            return Told(z[0].new_zeros(()), 0.0, 0.0)
        i_nce = self.cap - torch.stack(softmaxes).detach().mean().item()
        return Told(total(losses, weights), i_nce, accuracy)

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
