"""What encoders are trained by: losses over pairs of views, and where negatives come from."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from infomin.encoders import Towers
from infomin.losses import pairs, softmax, total, weights_of
from infomin.shapes import Views
from infomin.training.objectives.contrasts import Contrast, Softmax

Embeddings = Sequence[Float[Tensor, "b d"]]


class Told(NamedTuple):
    """What an objective says of a batch.

    Attributes:
        loss: to be minimised, summed over pairs of views.
        i_nce: log K minus the softmax loss of the same scores, mean over pairs, nats.
        accuracy: share of anchors whose positive scores highest, of the first pair.
    """

    loss: Tensor
    i_nce: float
    accuracy: float


class Objective(nn.Module):
    """Scores a batch; members say what an anchor is compared with. What they remember is state.

    Arguments:
        views: M.
        negatives: of every anchor.
        contrast: the loss of one direction.
        graph: `full` or `core`; see `losses.multiview`.
        weights: of its pairs; None is 1 each.

    Attributes:
        cap: log K, K counting the positive.
    """

    def __init__(
        self,
        views: int,
        negatives: int,
        contrast: Contrast,
        graph: str = "full",
        weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.pairs = pairs(views, graph)
        self.weights = weights_of(self.pairs, weights)
        self.contrast, self.cap = contrast, math.log(negatives + 1)

    def keys(self, views: Views) -> Embeddings:
        """Return what else a batch is embedded as, without gradients; nothing by default."""
        return ()

    def compare(
        self, z: Embeddings, keys: Embeddings, index: Int64[Tensor, " b"], anchor: int, other: int
    ) -> tuple[Float[Tensor, " b"], Float[Tensor, "b m"]]:
        """Return the scores of view `anchor` with its positive and negatives in view `other`."""
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
        losses, softmaxes, accuracy = [], [], 0.0
        for number, (i, j) in enumerate(self.pairs):
            directions = []
            for side, (anchor, other) in enumerate(((i, j), (j, i))):
                positive, negatives = self.compare(z, keys, index, anchor, other)
                loss = self.contrast(positive, negatives, 2 * number + side)
                directions.append(loss)
                with torch.no_grad():
                    known = isinstance(self.contrast, Softmax)
                    softmaxes.append(loss if known else softmax(positive, negatives))
                    if number == 0:
                        hit = positive >= negatives.amax(1)
                        accuracy += hit.float().mean().item() / 2
            losses.append(torch.stack(directions).mean())
        i_nce = self.cap - torch.stack(softmaxes).detach().mean().item()
        return Told(total(losses, self.weights), i_nce, accuracy)
