"""Negatives from a memory bank, and by default the positive too (CMC, section 3.4; InstDis)."""

from collections.abc import Sequence

from einops import einsum
from jaxtyping import Float, Int64
from torch import Tensor, nn

from infomin.core import rng
from infomin.core.errors import InputError, one_of
from infomin.methods.base import Batch, Context, Embeddings
from infomin.methods.memory import MemoryBank

DRAWS = ("shared", "per_sample")
POSITIVES = ("bank", "batch")


class BankNegatives(nn.Module):
    """A memory bank, and K draws of its rows for every anchor.

    Negatives drawn once for the whole batch make their scores one matrix product. Negatives drawn
    for each anchor, as in the authors' code, gather B x K rows.

    Arguments:
        views: numbers of the views that have rows.
        width: d of the embeddings.
        context: facts of the training.
        negatives: K.
        draws: `shared` or `per_sample`.
        positive: `bank`, the row of the sample (the authors' choice: steadier), or `batch`, the
            other view of the sample as it is embedded now.
        momentum, dtype: see `MemoryBank`.

    Raises:
        InputError: for unknown words, or more negatives than there are.
    """

    def __init__(
        self,
        views: Sequence[int],
        width: int,
        context: Context,
        negatives: int = 4096,
        momentum: float = 0.5,
        positive: str = "bank",
        draws: str = "shared",
        dtype: str = "float32",
    ) -> None:
        super().__init__()
        one_of("memory.draws", draws, DRAWS)
        one_of("memory.positive", positive, POSITIVES)
        self.place = {view: place for place, view in enumerate(views)}
        rows = context.rows or {}
        pools = {self.place[view]: rows[view] for view in views if view in rows}
        self.bank = MemoryBank(
            len(views), context.samples, width, momentum, dtype, context.seed, pools
        )
        for place in self.place.values():
            self.bank.check_negatives(negatives, context.batch if draws == "shared" else 1, place)
        self.negatives, self.draws, self.positive = negatives, draws, positive
        self.seed = context.seed
        self._index: dict[int, Int64[Tensor, ...]] = {}  # of the negatives of a step, by place
        self._step = -1

    def compare(
        self, anchor: Float[Tensor, "b d"], view: int, z: Embeddings, batch: Batch
    ) -> tuple[Float[Tensor, " b"], Float[Tensor, "b k"]]:
        """Return the cosines of anchors with their positive and with K rows of a view."""
        place = self.place[view]
        if self.positive == "bank":
            positive = self.bank.of(place, batch.index, anchor)
        else:
            positive = z[view]
        rows = self.bank.of(place, self.draw(place, batch), anchor)
        if self.draws == "shared":
            negatives = anchor @ rows.mT
        else:
            negatives = einsum(anchor, rows, "b d, b k d -> b k")
        return (anchor * positive).sum(1), negatives

    def draw(self, place: int, batch: Batch) -> Int64[Tensor, "..."]:
        """Return the samples that are negatives in a step: the same for all pairs of views.

        Views with the same candidates have the same negatives.
        """
        if self._step != batch.step:
            self._step, self._index = batch.step, {}
        key = place if self.bank.pools else 0
        if key not in self._index:
            shared = self.draws == "shared"
            draw = self.bank.draw_shared if shared else self.bank.draw_per_sample
            generator = rng.generator(self.seed, "negatives", batch.step)
            self._index[key] = draw(batch.index, self.negatives, generator, place)
        return self._index[key]

    def update(self, z: Embeddings, batch: Batch) -> None:
        """Move the rows of a batch towards its embeddings."""
        moved = {self.place[view]: e.detach() for view, e in z.items() if view in self.place}
        self.bank.update(batch.index, moved)


def needs_bank(graph: str, memory: str) -> None:
    """Refuse the graph `own`, an image and its row, where there are no rows.

    Raises:
        InputError: for `own` with another memory than a bank.
    """
    if graph == "own":
        raise InputError(
            "graph: own compares an image with its row of a bank, expected memory=bank, got "
            f"{memory}; set memory=bank, or graph=full"
        )
