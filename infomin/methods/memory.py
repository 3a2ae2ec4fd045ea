r"""Embeddings of other samples, kept from earlier steps: negatives without a large batch.

A bank has a row per sample and view, which follows its embeddings (InstDis, CMC): `w <-
normalise(momentum w + (1 - momentum) z)`. It takes `views x samples x width` numbers: two views of
1.28 million images at width 128 are 1.3 GB, half of that in float16. A queue has a row for each of
the latest samples (MoCo), whatever the size of the data.

All rows have length 1 from the start. (The rows of CMC's code start at length 1 on average only.)
The whole state of a memory is in its buffers.
"""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from infomin.core import rng
from infomin.core.errors import InputError, one_of, whole_number

DTYPES = {"float32": torch.float32, "float16": torch.float16}
_TOLERANCE = 2e-3  # of the length of a row: float16 rounds


class Memory(nn.Module):
    """Rows of length 1 for every view, `(views, n, d)`.

    Arguments:
        views: number of views that have rows.
        samples: n, rows of each view.
        width: d of the embeddings.
        dtype: of the rows, `float32` or `float16`.
        seed: of the rows at the start, uniform on the sphere.

    Raises:
        InputError: for numbers below 1, or another dtype.
    """

    rows: Float[Tensor, "m n d"]

    def __init__(
        self, views: int, samples: int, width: int, dtype: str = "float32", seed: int = 0
    ) -> None:
        super().__init__()
        one_of("memory.dtype", dtype, DTYPES)
        for name, number in (("views", views), ("samples", samples), ("width", width)):
            whole_number(f"memory.{name}", number, 1)
        generator = rng.generator(seed, "memory")
        starts = [torch.randn(samples, width, generator=generator) for _ in range(views)]
        rows = torch.stack([F.normalize(r, dim=1).to(DTYPES[dtype]) for r in starts])
        self.register_buffer("rows", rows)
        self.register_load_state_dict_post_hook(_check)  # type: ignore[no-untyped-call]

    def check(self) -> None:
        """Check that all rows have length 1.

        Raises:
            InputError: for the first row that has another length.
        """
        for i, rows in enumerate(self.rows):
            error = (rows.float().norm(dim=1) - 1).abs()
            if not bool((error <= _TOLERANCE).all()):
                worst = int(error.nan_to_num(math.inf).argmax())
                raise InputError(
                    f"memory: row {worst} of view {i + 1} has length "
                    f"{rows[worst].float().norm():.3g}, expected 1; normalise the rows"
                )

    def of(self, view: int, index: Int64[Tensor, "..."], like: Tensor) -> Float[Tensor, "... d"]:
        """Return rows of a view, in the dtype of another tensor."""
        rows: Tensor = self.rows[view]
        return rows[index.to(rows.device)].to(like.dtype)


class MemoryBank(Memory):
    """A row for every sample.

    Arguments:
        momentum: share of a row that stays when its sample is seen, within [0, 1).
        pools: for each view, the samples that can be negatives, ascending; None is all samples.
        views, samples, width, dtype, seed: see `Memory`.
    """

    def __init__(
        self,
        views: int,
        samples: int,
        width: int,
        momentum: float = 0.5,
        dtype: str = "float32",
        seed: int = 0,
        pools: Mapping[int, Int64[Tensor, " p"]] | None = None,
    ) -> None:
        super().__init__(views, samples, width, dtype, seed)
        check_momentum(momentum)
        self.momentum, self.pools = momentum, pools or {}

    def draw_shared(
        self, index: Int64[Tensor, " b"], k: int, generator: torch.Generator, view: int = 0
    ) -> Int64[Tensor, " k"]:
        """Draw K samples for all anchors of a batch, uniform over those that are not in it.

        Arguments:
            index: samples of the batch.
            k: K.
            generator: of the draws.
            view: whose rows the draws are for.
        """
        pool = self.pools.get(view)
        if pool is not None:
            index = torch.searchsorted(pool, index[torch.isin(index, pool)])
        self.check_negatives(k, len(index), view)
        draws = torch.randint(self._size(view) - len(index), (k,), generator=generator)
        # the r-th of the samples outside the batch is r plus the number of the batch before it
        gaps = index.sort().values - torch.arange(len(index))
        draws = draws + torch.searchsorted(gaps, draws, right=True)
        return draws if pool is None else pool[draws]

    def draw_per_sample(
        self, index: Int64[Tensor, " b"], k: int, generator: torch.Generator, view: int = 0
    ) -> Int64[Tensor, "b k"]:
        """Draw K samples for each anchor, uniform over all others; see `draw_shared`."""
        pool = self.pools.get(view)
        if pool is not None:
            index = torch.searchsorted(pool, index)
        self.check_negatives(k, 1, view)
        draws = torch.randint(self._size(view) - 1, (len(index), k), generator=generator)
        draws = draws + (draws >= index[:, None])
        return draws if pool is None else pool[draws]

    def check_negatives(self, k: int, positives: int, view: int = 0) -> None:
        """Check that K negatives can be drawn beside the positives.

        Raises:
            InputError: when they cannot.
        """
        whole_number("memory.negatives", k, 1)
        room = self._size(view) - positives
        if k > room:
            raise InputError(
                f"memory.negatives: expected 1..{room}, the number of samples that are no "
                f"positives, got {k}"
            )

    def _size(self, view: int) -> int:
        return len(self.pools[view]) if view in self.pools else self.rows.shape[1]

    @torch.no_grad()
    def update(self, index: Int64[Tensor, " b"], z: Mapping[int, Float[Tensor, "b d"]]) -> None:
        """Move the rows of a batch towards its embeddings, by number of the view.

        Raises:
            InputError: for an index that is there twice, or that has no row.
        """
        n = self.rows.shape[1]
        if len(index.unique()) < len(index):
            raise InputError("index: expected every sample of a batch once, got one twice")
        if len(index) and not 0 <= int(index.min()) <= int(index.max()) < n:
            raise InputError(
                f"index: the memory has rows of {n} samples, got number {int(index.max())}; it "
                "belongs to other data"
            )
        for view, embeddings in z.items():
            rows = self.rows[view]
            at = index.to(rows.device)
            moved = embeddings.float().lerp(rows[at].float(), self.momentum)
            rows[at] = F.normalize(moved, dim=1).to(rows.dtype)


class MomentumQueue(Memory):
    """A row for each of the latest samples of each view, the oldest of which give way (MoCo).

    Arguments: see `Memory`; `samples` is the length of the queue.
    """

    pointer: Int64[Tensor, " m"]
    owners: Int64[Tensor, "m n"]

    def __init__(
        self, views: int, samples: int, width: int, dtype: str = "float32", seed: int = 0
    ) -> None:
        super().__init__(views, samples, width, dtype, seed)
        self.register_buffer("pointer", torch.zeros(views, dtype=torch.int64))
        self.register_buffer("owners", torch.full((views, samples), -1))

    def own_rows(self, index: Int64[Tensor, " b"], view: int = 0) -> Tensor | None:
        """Return the mask `(b, n)` of rows that are old keys of the anchors; None without any."""
        owners = self.owners[view]
        index = index.to(owners.device)
        if not bool(torch.isin(owners, index).any()):
            return None
        return owners == index[:, None]

    @torch.no_grad()
    def push(self, index: Int64[Tensor, " b"], keys: Mapping[int, Float[Tensor, "b d"]]) -> None:
        """Put the keys of a batch in the place of the oldest, by number of the view.

        Raises:
            InputError: for more keys than the queue is long.
        """
        n = self.rows.shape[1]
        if len(index) > n:
            raise InputError(f"memory.size: expected at least a batch, {len(index)}, got {n}")
        for view, embeddings in keys.items():
            rows, start = self.rows[view], int(self.pointer[view])
            at = (start + torch.arange(len(index), device=rows.device)) % n
            rows[at] = F.normalize(embeddings.float(), dim=1).to(rows.dtype)
            self.owners[view][at] = index.to(rows.device)
            self.pointer[view] = (start + len(index)) % n


def _check(memory: Memory, _: object) -> None:
    memory.check()


def check_momentum(value: float, name: str = "memory.momentum") -> None:
    """Raise an InputError unless a number is within [0, 1)."""
    if not (isinstance(value, int | float) and 0 <= value < 1):
        raise InputError(f"{name}: expected a share within [0, 1), got {value}")
