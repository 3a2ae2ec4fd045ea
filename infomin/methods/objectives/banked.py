"""Negatives, and by default the positive too, are rows of a memory bank."""

from collections.abc import Sequence

import torch
from einops import einsum
from torch import Tensor

from infomin.core import rng
from infomin.core.errors import InputError, one_of
from infomin.core.presence import Places, Present, chosen, having
from infomin.methods.memory import MemoryBank
from infomin.methods.objectives.base import Embedded, Embeddings, Objective
from infomin.methods.objectives.contrasts import Contrast
from infomin.models import Encoders

DRAWS = ("shared", "per_sample")
POSITIVES = ("bank", "batch")


class Banked(Objective):
    """Compares with rows of the other view's bank (CMC, arXiv:1906.05849, section 3.4).

    With `graph=own` it is InstDis (arXiv:1805.01978): a view and the row of the same view.

    Negatives drawn once for the whole batch make their scores one matrix product; drawn for each
    anchor, as the authors' code does, B x K rows are gathered.

    Arguments:
        bank: a row for every sample and each view that is compared with, `others` of the graph.
        negatives: K.
        contrast, graph, weights: see `Objective`.
        draws: `shared` or `per_sample`.
        positive: `bank`, the row of the sample (the authors' choice: steadier), or `batch`, its
            other view as it is now.
        batch: samples a step.
        seed: of the draws.
        present: see `Objective`; rows that are never embedded are never drawn.
        views: M; None is as many as the bank has.

    Raises:
        InputError: as `Objective`; for unknown words, more negatives than there are, or an image
            whose positive would be itself.
    """

    def __init__(
        self,
        bank: MemoryBank,
        negatives: int,
        contrast: Contrast,
        graph: str = "full",
        weights: Sequence[float] | None = None,
        draws: str = "shared",
        positive: str = "bank",
        batch: int = 1,
        seed: int = 0,
        present: Present | None = None,
        views: int | None = None,
    ) -> None:
        one_of("memory.draws", draws, DRAWS)
        one_of("memory.positive", positive, POSITIVES)
        views = len(bank.rows) if views is None else views
        super().__init__(views, negatives, contrast, graph, weights, present)
        if graph == "own" and positive != "bank":
            raise InputError(
                "memory.positive: expected bank with graph=own, where an image of the batch would "
                f"be its own positive, got {positive}; set memory.positive=bank"
            )
        self.pools = [having(self.present, view) for view in self.others]
        for pool in self.pools:
            bank.leaves_room(negatives, batch if draws == "shared" else 1, pool)
        self.bank, self.negatives, self.draws, self.positive = bank, negatives, draws, positive
        self.seed, self.which = seed, torch.empty(0, dtype=torch.int64)

    @property
    def trained(self) -> Sequence[int]:
        """Those that ask; rows of the bank have no gradient."""
        return self.anchors if self.positive == "bank" else self.embedded

    def remembers(self, samples: int) -> None:
        """Make sure that the bank has a row, of length 1, for each of so many samples.

        Raises:
            InputError: when it has not.
        """
        rows = self.bank.rows.shape[1]
        if rows != samples:
            raise InputError(
                f"memory: expected a bank of {samples} rows, one a training image, got {rows}"
            )
        self.bank.check()

    def begin(self, index: Tensor, step: int) -> None:
        """Draw the negatives of a step, the same for all pairs; of each view if some lack it."""
        draw = self.bank.shared if self.draws == "shared" else self.bank.per_sample
        drawn = [
            draw(index, self.negatives, rng.generator(self.seed, "negatives", step), pool)
            for pool in (self.pools[:1] if self.present is None else self.pools)
        ]
        self.which = drawn[0] if self.present is None else torch.stack(drawn)

    def compare(
        self, batch: Embedded, anchor: int, other: int, who: Places | None = None
    ) -> tuple[Tensor, Tensor]:
        """Compare with rows of the bank."""
        mine, t = chosen(batch.z[anchor], who), self.contrast.temperature
        place = self.others.index(other)
        if self.positive == "bank":
            own = self.bank.of(place, chosen(batch.index, who), mine)
        else:
            own = chosen(batch.z[other], who)
        which = self.which if self.present is None else self.which[place]
        rows = self.bank.of(place, which if self.draws == "shared" else chosen(which, who), mine)
        if self.draws == "shared":
            negatives = mine @ rows.mT
        else:
            negatives = einsum(mine, rows, "b d, b k d -> b k")
        return (mine * own).sum(1) / t, negatives / t

    def update(self, z: Embeddings, keys: Embeddings, index: Tensor, encoders: Encoders) -> None:
        """Move the rows of the batch towards its embeddings."""
        self.bank.update(index, [z[other].detach() for other in self.others], self.here(index))
