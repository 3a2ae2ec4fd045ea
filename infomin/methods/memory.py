r"""Embeddings of other samples, kept from earlier steps: negatives without a large batch.

A bank has a row per sample and view, which follows its embeddings (InstDis, CMC):
`w <- normalise(momentum w + (1 - momentum) z)`. It takes `views x samples x width` numbers: two
views of 1.28 million images at width 128 are 1.3 GB, half of that in float16. A queue has a row for
each of the latest samples (MoCo), whatever the size of the data.

All rows have length 1 from the start, as in PyContrast. (Those of CMC's code start at length 1 on
average only.) The whole state of a memory is in its buffers.

An image's own rows can be among its negatives: a bank samples from all images, and a queue may hold
an old key of the image. The published codes keep them. `mask_own=True` is ours and leaves them out.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from einops import einsum
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from infomin.core import rng
from infomin.core.errors import InputError, one_of, true_or_false, whole_number
from infomin.methods.base import Batch, Context, Embeddings

DTYPES = {"float32": torch.float32, "float16": torch.float16}
DRAWS = ("shared", "per_sample")
POSITIVES = ("bank", "batch")
ALL_ROWS = 16
"""Rows of a bank, as a multiple of K, up to which a CPU scores every row and picks the drawn ones.
With more rows, and on a GPU, B x K rows are gathered. (On a GPU the gradient of picked scores adds
up in no fixed order, so that a resumed run would not be exact.)"""
_TOLERANCE = 2e-3  # of the length of a row: float16 rounds


class Memory(nn.Module):
    """Rows of length 1 for some views, `(views, n, d)`.

    Arguments:
        views: numbers of the views that have rows.
        samples: n, rows of each view.
        width: d of the embeddings.
        dtype: of the rows, `float32` or `float16`.
        seed: of the rows at the start, uniform on the sphere.

    Raises:
        InputError: for another dtype.
    """

    rows: Float[Tensor, "m n d"]

    def __init__(
        self, views: Sequence[int], samples: int, width: int, dtype: str = "float32", seed: int = 0
    ) -> None:
        super().__init__()
        one_of("memory.dtype", dtype, DTYPES)
        self.views = tuple(views)
        generator = rng.generator(seed, "memory")
        starts = [torch.randn(samples, width, generator=generator) for _ in views]
        rows = torch.stack([F.normalize(r, dim=1).to(DTYPES[dtype]) for r in starts])
        self.register_buffer("rows", rows)
        self.register_load_state_dict_post_hook(Memory.check)  # type: ignore[no-untyped-call]

    def check(self, *_: object) -> None:
        """Check that all rows have length 1.

        Raises:
            InputError: for the first row that has another length.
        """
        for view, rows in zip(self.views, self.rows, strict=True):
            error = (rows.float().norm(dim=1) - 1).abs()
            if not bool((error <= _TOLERANCE).all()):
                worst = int(error.nan_to_num(math.inf).argmax())
                raise InputError(
                    f"memory: row {worst} of view {view + 1} has length "
                    f"{rows[worst].float().norm():.3g}, expected 1; normalise the rows"
                )

    def of(self, view: int) -> Float[Tensor, "n d"]:
        """Return the rows of a view, not a copy."""
        return self.rows[self.views.index(view)]


class MemoryBank(Memory):
    """A row for every sample.

    Arguments:
        momentum: share of a row that stays when its sample is seen, within [0, 1).
        views, samples, width, dtype, seed: see `Memory`.
    """

    def __init__(
        self,
        views: Sequence[int],
        samples: int,
        width: int,
        momentum: float = 0.5,
        dtype: str = "float32",
        seed: int = 0,
    ) -> None:
        super().__init__(views, samples, width, dtype, seed)
        check_momentum(momentum)
        self.momentum = momentum

    def read(self, view: int, index: Int64[Tensor, "..."], like: Tensor) -> Float[Tensor, "... d"]:
        """Return rows of a view, in the dtype of another tensor."""
        rows = self.of(view)
        return rows[index.to(rows.device)].to(like.dtype)

    @torch.no_grad()
    def update(self, index: Int64[Tensor, " b"], z: Embeddings) -> None:
        """Move the rows of a batch towards its embeddings; views without rows are ignored.

        Raises:
            InputError: for a sample that is there twice.
        """
        if len(index.unique()) < len(index):
            raise InputError("index: expected every sample of a batch once, got one twice")
        for view in z.keys() & {*self.views}:
            rows = self.of(view)
            at = index.to(rows.device)
            moved = z[view].float().lerp(rows[at].float(), self.momentum)
            rows[at] = F.normalize(moved, dim=1).to(rows.dtype)


class BankNegatives(nn.Module):
    """A memory bank, and K draws of its rows for every anchor (CMC, section 3.4; InstDis).

    The authors' code draws K rows of all images for each anchor, with replacement (HobbitLong/CMC,
    NCE/NCEAverage.py; HobbitLong/PyContrast, memory/mem_bank.py). `draws="shared"` is ours: one
    draw for the whole batch makes the scores one small matrix product.

    Arguments:
        views: numbers of the views that have rows.
        width: d of the embeddings.
        context: facts of the training.
        negatives: K.
        draws: `per_sample`, for every anchor (published), or `shared`, once for the batch (ours).
        positive: `bank`, the row of the sample (the authors' choice: steadier), or `batch`, the
            other view of the sample as it is embedded now.
        mask_own: whether an anchor's own row is never drawn (ours), and with `shared` none of the
            batch's rows; if not, all rows are equally likely (published).
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
        draws: str = "per_sample",
        mask_own: bool = False,
        dtype: str = "float32",
    ) -> None:
        super().__init__()
        one_of("memory.draws", draws, DRAWS)
        one_of("memory.positive", positive, POSITIVES)
        whole_number("memory.negatives", negatives, 1)
        true_or_false("memory.mask_own", mask_own)
        self.bank = MemoryBank(views, context.samples, width, momentum, dtype, context.seed)
        self.candidates = context.rows or {}  # samples that have a view; all for other views
        sizes = [len(self.candidates.get(view, range(context.samples))) for view in views]
        masked = context.batch if draws == "shared" else 1
        room = min(sizes) - (masked if mask_own else 0)
        if negatives > room:
            raise InputError(
                f"memory.negatives: expected 1..{room}, the number of samples to draw from, got "
                f"{negatives}; set memory.negatives={max(room, 1)} or fewer"
            )
        self.negatives, self.draws, self.positive = negatives, draws, positive
        self.mask_own = mask_own
        self.seed = context.seed
        self._index: dict[int | None, Int64[Tensor, ...]] = {}  # of the negatives of a step
        self._step = -1

    def compare(
        self, anchor: Float[Tensor, "b d"], view: int, z: Embeddings, batch: Batch
    ) -> tuple[Float[Tensor, " b"], Float[Tensor, "b k"]]:
        """Return the cosines of anchors with their positive and with K rows of a view."""
        from_bank = self.positive == "bank"
        positive = self.bank.read(view, batch.index, anchor) if from_bank else z[view]
        index = self.draw(view, batch)
        if index.ndim == 1:
            negatives = anchor @ self.bank.read(view, index, anchor).mT
        elif anchor.device.type == "cpu" and len(self.bank.of(view)) <= ALL_ROWS * self.negatives:
            every = self.bank.of(view).to(anchor.dtype, copy=True)  # rows move before the gradient
            negatives = (anchor @ every.mT).gather(1, index)
        else:
            rows = self.bank.read(view, index, anchor)
            negatives = einsum(anchor, rows, "b d, b k d -> b k")
        return (anchor * positive).sum(1), negatives

    def draw(self, view: int, batch: Batch) -> Int64[Tensor, "..."]:
        """Return the samples that are negatives in a step, the same for all pairs of views.

        Shared draws are `(K,)`, others `(b, K)`: uniform over all samples, or with `mask_own` over
        those outside the batch, or all but the anchor's. Views that some samples lack have their
        own draws.
        """
        if self._step != batch.step:
            self._step, self._index = batch.step, {}
        key = view if view in self.candidates else None
        if key not in self._index:
            generator = rng.generator(self.seed, "negatives", batch.step)
            self._index[key] = self._sample(batch.index, self.candidates.get(view), generator)
        return self._index[key]

    def _sample(
        self,
        index: Int64[Tensor, " b"],
        candidates: Int64[Tensor, " c"] | None,
        generator: torch.Generator,
    ) -> Int64[Tensor, "..."]:
        size, b, k = self.bank.rows.shape[1], len(index), self.negatives
        if candidates is not None:
            index, size = torch.searchsorted(candidates, index), len(candidates)
        if not self.mask_own:
            shape = (k,) if self.draws == "shared" else (b, k)
            draws = torch.randint(size, shape, generator=generator)
        elif self.draws == "shared":
            draws = torch.randint(size - b, (k,), generator=generator)
            # the r-th of the samples outside the batch is r plus the number of the batch before it
            gaps = index.sort().values - torch.arange(b)
            draws = draws + torch.searchsorted(gaps, draws, right=True)
        else:
            draws = torch.randint(size - 1, (b, k), generator=generator)
            draws = draws + (draws >= index[:, None])
        return draws if candidates is None else candidates[draws]

    def update(self, z: Embeddings, batch: Batch) -> None:
        """Move the rows of a batch towards its embeddings."""
        self.bank.update(batch.index, z)


class MomentumQueue(Memory):
    """A row for each of the latest samples of each view, the oldest of which give way (MoCo).

    Arguments: see `Memory`; `samples` is the length of the queue.
    """

    pointer: Int64[Tensor, " m"]
    owners: Int64[Tensor, "m n"]

    def __init__(
        self, views: Sequence[int], samples: int, width: int, dtype: str = "float32", seed: int = 0
    ) -> None:
        super().__init__(views, samples, width, dtype, seed)
        self.register_buffer("pointer", torch.zeros(len(views), dtype=torch.int64))
        self.register_buffer("owners", torch.full((len(views), samples), -1))

    def own_rows(self, index: Int64[Tensor, " b"], view: int) -> Tensor | None:
        """Return the mask `(b, n)` of rows that are old keys of the anchors; None without any."""
        owners = self.owners[self.views.index(view)]
        index = index.to(owners.device)
        return owners == index[:, None] if bool(torch.isin(owners, index).any()) else None

    @torch.no_grad()
    def push(self, index: Int64[Tensor, " b"], keys: Mapping[int, Float[Tensor, "b d"]]) -> None:
        """Put the keys of a batch in the place of the oldest, by number of the view."""
        for view, embeddings in keys.items():
            number, rows = self.views.index(view), self.of(view)
            start = int(self.pointer[number])
            at = (start + torch.arange(len(index), device=rows.device)) % len(rows)
            rows[at] = F.normalize(embeddings.float(), dim=1).to(rows.dtype)
            self.owners[number, at] = index.to(rows.device)
            self.pointer[number] = (start + len(index)) % len(rows)


def check_momentum(value: float, name: str = "memory.momentum") -> None:
    """Raise an InputError unless a number is within [0, 1)."""
    if not (isinstance(value, int | float) and 0 <= value < 1):
        raise InputError(f"{name}: expected a share within [0, 1), got {value}")
