r"""Losses of one direction of a pair of views: one positive against its negatives, by name.

`infonce` needs nothing but scores. `logistic` has a constant Z for every direction, which the first
batch sets to n times the mean exp of the scores of its negatives; with `every` > 0 it is estimated
anew after so many steps, since encoders that have learned nothing say little about Z. `triplet`
compares cosines.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from infomin.core.errors import InputError, blamed_on, one_of, whole_number
from infomin.losses import estimated_log_z, logistic, softmax, triplet


class PairLoss(nn.Module):
    """A loss of the scores `(b,)` of positives and `(b, m)` of negatives.

    Arguments:
        directions: number of directions, two per pair of views.
        samples: n, number of training images.
        temperature: tau of the scores.
    """

    def __init__(self, directions: int, samples: int, temperature: float) -> None:
        super().__init__()
        self.directions, self.samples, self.temperature = directions, samples, temperature

    def forward(self, positive: Tensor, negatives: Tensor, direction: int) -> Tensor:
        """Return the loss of one direction."""
        raise NotImplementedError


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
                self.log_z[direction] = estimated_log_z(negatives, self.samples)
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
    with blamed_on(f"loss={name}"):
        return PAIR_LOSSES[name](directions, samples, temperature, **own)
