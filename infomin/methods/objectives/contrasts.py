r"""One positive against its negatives, in one direction of one pair of views: three losses.

The softmax needs nothing but scores. Logistic NCE has a constant Z for every direction, by the rule
of the authors' code: the first batch sets it, as n times the mean exp of the scores of its
negatives, and it stays. With `every` > 0 it is set anew each so many steps: encoders that have
learned nothing say little about Z. A triplet compares cosines.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from infomin.core.errors import InputError, positive, whole_number
from infomin.losses import estimated_log_z, logistic, softmax, triplet


class Contrast(nn.Module):
    """A loss of scores, `(b,)` and `(b, m)`; members define it.

    Arguments:
        directions: two for every pair of views.
        samples: n, of the data.
        temperature: of the scores.

    Raises:
        InputError: for a temperature that is not above 0.
    """

    def __init__(self, directions: int, samples: int, temperature: float) -> None:
        super().__init__()
        positive("temperature", temperature)
        self.directions, self.samples, self.temperature = directions, samples, temperature

    def forward(self, positive: Tensor, negatives: Tensor, direction: int) -> Tensor:
        """Return the loss of one direction."""
        raise NotImplementedError


class Softmax(Contrast):
    """-log of the share of the positive."""

    def forward(self, positive: Tensor, negatives: Tensor, direction: int) -> Tensor:
        """Return it, in nats."""
        return softmax(positive, negatives)


class Logistic(Contrast):
    """Noise-contrastive estimation.

    Arguments:
        every: steps after which Z is estimated anew; 0 is never.
        others: see `Contrast`.
    """

    log_z: Tensor
    seen: Tensor

    def __init__(self, directions: int, samples: int, temperature: float, every: int = 0) -> None:
        super().__init__(directions, samples, temperature)
        whole_number("loss.every", every, 0)
        self.every = every
        self.register_buffer("log_z", torch.zeros(directions))
        self.register_buffer("seen", torch.zeros(directions, dtype=torch.int64))

    def forward(self, positive: Tensor, negatives: Tensor, direction: int) -> Tensor:
        """Return the loss, in nats; while training, estimate Z when it is time to."""
        if self.training:
            seen = int(self.seen[direction])
            if seen == 0 or (self.every and seen % self.every == 0):
                self.log_z[direction] = estimated_log_z(negatives, self.samples)
            self.seen[direction] += 1
        return logistic(positive, negatives, self.log_z[direction], self.samples)


class Triplet(Contrast):
    """Hinge on the difference of cosines.

    Arguments:
        margin: by which the cosine of the positive should be ahead, within (0, 2].
        others: see `Contrast`.
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
        """Return the loss, of cosines."""
        t = self.temperature
        return triplet(t * positive, t * negatives, self.margin)


CONTRASTS: dict[str, Callable[..., Contrast]] = {
    "infonce": Softmax,
    "logistic": Logistic,
    "triplet": Triplet,
}


def build_contrast(
    name: str, directions: int, samples: int, temperature: float, **options: Any
) -> Contrast:
    """Build a loss by its name in `CONTRASTS`."""
    return CONTRASTS[name](directions, samples, temperature, **options)
