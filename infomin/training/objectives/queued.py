"""Negatives are keys of the latest samples, of encoders that follow slowly (MoCo)."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor

from infomin.encoders import Towers
from infomin.memory import MomentumQueue, share
from infomin.presence import Places, Present, chosen
from infomin.shapes import Seen
from infomin.training.objectives.base import Embeddings, Objective
from infomin.training.objectives.contrasts import Contrast


class Queued(Objective):
    """Compares with the keys of slow towers: the positive's now, negatives' from a queue.

    Arguments:
        queue: of keys, for every view.
        towers: those that are trained; the slow ones start as they do.
        contrast, graph, weights: see `Objective`.
        momentum: how much of the slow towers stays in a step, within [0, 1).
        present: see `Objective`; with it the queue has to be one of its own for every view.
    """

    def __init__(
        self,
        queue: MomentumQueue,
        towers: Towers,
        contrast: Contrast,
        graph: str = "full",
        weights: Sequence[float] | None = None,
        momentum: float = 0.999,
        present: Present | None = None,
    ) -> None:
        share("memory.momentum", momentum)
        super().__init__(len(queue.rows), queue.rows.shape[1], contrast, graph, weights, present)
        self.queue, self.momentum = queue, momentum
        self.slow = deepcopy(towers).requires_grad_(False)

    @torch.no_grad()
    def keys(self, views: tuple[Seen, ...]) -> Sequence[Tensor]:
        """Embed a batch with the slow towers."""
        keys: Sequence[Tensor] = self.slow(views)
        return keys

    def compare(
        self,
        z: Embeddings,
        keys: Embeddings,
        index: Tensor,
        anchor: int,
        other: int,
        who: Places | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Compare with the key of the other view, and with the queue; never with an own old key."""
        mine, t = chosen(z[anchor], who), self.contrast.temperature
        rows = self.queue.rows[other].to(mine.dtype)
        negatives = mine @ rows.mT / t
        own = self.queue.own(chosen(index, who), other)
        if own is not None:
            negatives = negatives.masked_fill(own, -torch.inf)
        return (mine * chosen(keys[other], who)).sum(1) / t, negatives

    @torch.no_grad()
    def update(self, z: Embeddings, keys: Embeddings, index: Tensor, towers: Towers) -> None:
        """Push the keys of the batch; let the slow towers follow."""
        self.queue.push(index, keys, self.here(index))
        for slow, fast in zip(self.slow.parameters(), towers.parameters(), strict=True):
            slow.lerp_(fast, 1 - self.momentum)
