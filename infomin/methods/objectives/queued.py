"""Negatives are keys of the latest samples, of encoders that follow slowly (MoCo)."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from einops import rearrange
from torch import Tensor

from infomin.core import rng
from infomin.core.errors import InputError, whole_number
from infomin.core.presence import FEWEST, Places, Present, chosen, needs_all
from infomin.core.shapes import Seen
from infomin.methods.memory import MomentumQueue, share
from infomin.methods.objectives.base import Embedded, Embeddings, Objective, needs_rows, of_these
from infomin.methods.objectives.contrasts import Contrast
from infomin.methods.objectives.grouped import in_groups
from infomin.models import Encoders


class Queued(Objective):
    """Compares with the keys of slow encoders: the positive's now, negatives' from a queue.

    Arguments:
        queue: of keys, for each view that is compared with, `others` of the graph.
        encoders: those that are trained; the slow ones start as they do.
        contrast, graph, weights: see `Objective`.
        momentum: how much of the slow encoders stays in a step, within [0, 1).
        present: see `Objective`; with it the queue has to be one of its own for every view.
        groups: of a batch, each normalised by itself, keys in another order than queries; see
            `grouped`. 1 is the whole batch.
        seed: of that order.

    Raises:
        InputError: as `Objective`; for numbers out of range, a graph of rows, or groups where
            samples lack views.
    """

    def __init__(
        self,
        queue: MomentumQueue,
        encoders: Encoders,
        contrast: Contrast,
        graph: str = "full",
        weights: Sequence[float] | None = None,
        momentum: float = 0.999,
        present: Present | None = None,
        groups: int = 1,
        seed: int = 0,
    ) -> None:
        share("memory.momentum", momentum)
        whole_number("memory.groups", groups, 1)
        needs_rows(graph, "queue")
        super().__init__(len(encoders), queue.rows.shape[1], contrast, graph, weights, present)
        if groups > 1:
            needs_all(present, f"memory.groups={groups}", "batch normalisation of groups")
        self.queue, self.momentum, self.groups = queue, momentum, groups
        self.seed, self.joins = seed, groups > 1
        self.part, self.order = slice(0, None), torch.empty(0, dtype=torch.int64)
        self.embedded = self.anchors
        self.slow = deepcopy(encoders).requires_grad_(False)

    def fits(self, part: slice, chunk: int | None) -> None:
        """Make sure that a share of a batch divides into groups, which chunks then have to be.

        Raises:
            InputError: when it does not.
        """
        images, self.part = part.stop - part.start, part
        if images % self.groups or images // self.groups < FEWEST:
            raise InputError(
                f"memory.groups: expected a divisor of the {images} images of a batch that leaves "
                f"at least {FEWEST} in each, got {self.groups}"
            )
        each = images // self.groups
        if self.groups > 1 and chunk not in (None, each):
            raise InputError(
                f"pretrain.chunk: expected {each}, the images of each of memory.groups="
                f"{self.groups}, or null, got {chunk}"
            )

    def begin(self, index: Tensor, step: int) -> None:
        """Deal out the keys of a batch: of every so many in a row, each group gets one.

        So the groups of a batch are the same, however many processes embed their share of it.
        """
        rows = len(index) // self.groups
        generator = rng.generator(self.seed, "groups", step)
        dealt = torch.rand(rows, self.groups, generator=generator).argsort(1)
        dealt += rearrange(self.groups * torch.arange(rows), "n -> n 1")
        self.order = dealt.flatten()[self.part] - self.part.start

    def embed(self, encoders: Encoders, views: tuple[Seen, ...]) -> Sequence[Tensor]:
        """Embed queries, group by group."""
        return in_groups(encoders, views, self.groups, torch.arange(max(map(len, views))))

    @torch.no_grad()
    def keys(self, views: tuple[Seen, ...]) -> Sequence[Tensor]:
        """Embed a batch with the slow encoders, in groups that are dealt anew in every step."""
        return in_groups(self.slow, of_these(views, self.others), self.groups, self.order)

    def compare(
        self, batch: Embedded, anchor: int, other: int, who: Places | None = None
    ) -> tuple[Tensor, Tensor]:
        """Compare with the key of the other view, and with the queue; never with an own old key."""
        mine, t = chosen(batch.z[anchor], who), self.contrast.temperature
        place = self.others.index(other)
        rows = self.queue.rows[place].to(mine.dtype)
        negatives = mine @ rows.mT / t
        own = self.queue.own(chosen(batch.index, who), place)
        if own is not None:
            negatives = negatives.masked_fill(own, -torch.inf)
        return (mine * chosen(batch.keys[other], who)).sum(1) / t, negatives

    @torch.no_grad()
    def update(self, z: Embeddings, keys: Embeddings, index: Tensor, encoders: Encoders) -> None:
        """Push the keys of the batch; let the slow encoders follow."""
        self.queue.push(index, [keys[other] for other in self.others], self.here(index))
        for slow, fast in zip(self.slow.parameters(), encoders.parameters(), strict=True):
            slow.lerp_(fast, 1 - self.momentum)
