r"""Embeddings of other samples, kept from earlier steps: negatives without a large batch.

A bank has a row for every sample and view, which follows its embeddings (InstDis, CMC):
`w <- normalise(momentum w + (1 - momentum) z)`. It takes `views x samples x width` numbers: two
views of 1.28 million images at width 128 are 1.3 GB, half of that in float16. A queue has a row for
each of the latest samples (MoCo), and a size of its own, whatever that of the data.

All rows have length 1 from the start. (The rows of CMC's code start at length 1 on average only.)
What a bank or a queue knows, the place of the next row included, is in its state.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from infomin.core import rng
from infomin.core.errors import InputError, one_of, whole_number
from infomin.core.presence import Here, Places, chosen, having

DTYPES = {"float32": torch.float32, "float16": torch.float16}
_OFF = 2e-3  # how far the length of a row may be from 1: float16 rounds


class Memory(nn.Module):
    """Rows of length 1 for every view, `(views, n, d)`.

    Arguments:
        views: M.
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
        drawn = [torch.randn(samples, width, generator=generator) for _ in range(views)]
        rows = torch.stack([F.normalize(r, dim=1).to(DTYPES[dtype]) for r in drawn])
        self.register_buffer("rows", rows)
        self.register_load_state_dict_post_hook(_check)  # type: ignore[no-untyped-call]

    def check(self) -> None:
        """Make sure that all rows have length 1.

        Raises:
            InputError: telling the first that has not.
        """
        for i, rows in enumerate(self.rows):
            off = (rows.float().norm(dim=1) - 1).abs()
            if not bool((off <= _OFF).all()):
                worst = int(off.nan_to_num(math.inf).argmax())
                raise InputError(
                    f"memory: row {worst} of view {i + 1} has length "
                    f"{rows[worst].float().norm():.3g}, expected 1; normalise the rows"
                )

    def of(self, view: int, which: Int64[Tensor, "..."], like: Tensor) -> Float[Tensor, "... d"]:
        """Return some rows of a view, in the precision of others."""
        rows: Tensor = self.rows[view]
        return rows[which.to(rows.device)].to(like.dtype)


class MemoryBank(Memory):
    """A row for every sample.

    Arguments:
        momentum: how much of a row stays when its sample is seen.
        others: see `Memory`.
    """

    def __init__(
        self,
        views: int,
        samples: int,
        width: int,
        momentum: float = 0.5,
        dtype: str = "float32",
        seed: int = 0,
    ) -> None:
        super().__init__(views, samples, width, dtype, seed)
        share("memory.momentum", momentum)
        self.momentum = momentum

    def shared(
        self,
        index: Int64[Tensor, " b"],
        k: int,
        generator: torch.Generator,
        pool: Places | None = None,
    ) -> Int64[Tensor, " k"]:
        """Draw K samples for all anchors of a batch, uniform over those that are not in it.

        Arguments:
            index: the batch.
            k: K.
            generator: of the draws.
            pool: samples that can be drawn at all, ascending; None is all.
        """
        if pool is not None:
            index = torch.searchsorted(pool, index[torch.isin(index, pool)])
        self.leaves_room(k, len(index), pool)
        drawn = torch.randint(self._size(pool) - len(index), (k,), generator=generator)
        # the r-th of those left over is r plus as many as are left out before it
        gaps = index.sort().values - torch.arange(len(index))
        drawn = drawn + torch.searchsorted(gaps, drawn, right=True)
        return drawn if pool is None else pool[drawn]

    def per_sample(
        self,
        index: Int64[Tensor, " b"],
        k: int,
        generator: torch.Generator,
        pool: Places | None = None,
    ) -> Int64[Tensor, "b k"]:
        """Draw K samples for each anchor in the pool, uniform over all others; see `shared`."""
        if pool is not None:
            index = torch.searchsorted(pool, index)
        self.leaves_room(k, 1, pool)
        drawn = torch.randint(self._size(pool) - 1, (len(index), k), generator=generator)
        drawn = drawn + (drawn >= index[:, None])
        return drawn if pool is None else pool[drawn]

    def leaves_room(self, k: int, taken: int, pool: Places | None = None) -> None:
        """Make sure that K negatives can be drawn beside those samples that are none.

        Raises:
            InputError: when they cannot.
        """
        whole_number("memory.negatives", k, 1)
        room = self._size(pool) - taken
        if k > room:
            of_view = "" if pool is None else " of each view"
            raise InputError(
                f"memory.negatives: expected 1..{room}, the samples{of_view} that are no "
                f"positives, got {k}"
            )

    def _size(self, pool: Places | None) -> int:
        return self.rows.shape[1] if pool is None else len(pool)

    @torch.no_grad()
    def update(
        self,
        index: Int64[Tensor, " b"],
        z: Sequence[Float[Tensor, "b d"]],
        here: Here | None = None,
    ) -> None:
        """Move the rows of a batch towards its embeddings, of the views that are there.

        Raises:
            InputError: for an index that is there twice, or is that of no row.
        """
        n = self.rows.shape[1]
        if len(index.unique()) < len(index):
            raise InputError("index: expected every sample of a batch once, got one twice")
        if len(index) and not 0 <= int(index.min()) <= int(index.max()) < n:
            raise InputError(
                f"index: the memory has rows of {n} samples, got number {int(index.max())}; it "
                "belongs to other data"
            )
        for view, (rows, of_view) in enumerate(zip(self.rows, z, strict=True)):
            who = having(here, view)
            at, of_view = chosen(index, who).to(rows.device), chosen(of_view, who)
            moved = of_view.float().lerp(rows[at].float(), self.momentum)
            rows[at] = F.normalize(moved, dim=1).to(rows.dtype)


class MomentumQueue(Memory):
    """A row for each of the latest samples, the oldest of which give way (MoCo, arXiv:1911.05722).

    Arguments:
        apart: whether samples can lack views: the queue of each view then moves on by itself, and
            is one of the latest samples that have it.
        others: see `Memory`; `samples` is the length of the queue.
    """

    pointer: Int64[Tensor, "..."]
    owners: Int64[Tensor, "... n"]

    def __init__(
        self,
        views: int,
        samples: int,
        width: int,
        dtype: str = "float32",
        seed: int = 0,
        apart: bool = False,
    ) -> None:
        super().__init__(views, samples, width, dtype, seed)
        self.apart, each = apart, (views,) if apart else ()
        self.register_buffer("pointer", torch.zeros(each, dtype=torch.int64))
        self.register_buffer("owners", torch.full((*each, samples), -1))

    def own(self, index: Int64[Tensor, " b"], view: int = 0) -> Tensor | None:
        """Return where anchors meet rows of their own sample, `(b, n)`; None where none does."""
        owners, index = self._of(self.owners, view), index.to(self.owners.device)
        if not bool(torch.isin(owners, index).any()):
            return None
        return owners == index[:, None]

    @torch.no_grad()
    def push(
        self,
        index: Int64[Tensor, " b"],
        keys: Sequence[Float[Tensor, "b d"]],
        here: Here | None = None,
    ) -> None:
        """Put the keys of a batch, of the views that are there, in the place of the oldest.

        Raises:
            InputError: for more of them than the queue is long.
        """
        n = self.rows.shape[1]
        if len(index) > n:
            raise InputError(f"memory.size: expected at least a batch, {len(index)}, got {n}")
        starts = self.pointer.expand(len(self.rows)).tolist()
        for view, (rows, of_view) in enumerate(zip(self.rows, keys, strict=True)):
            who = having(here, view)
            new, of_view = chosen(index, who).to(rows.device), chosen(of_view, who)
            at = (starts[view] + torch.arange(len(new), device=rows.device)) % n
            rows[at] = F.normalize(of_view.float(), dim=1).to(rows.dtype)
            self._of(self.owners, view)[at] = new
            self._of(self.pointer, view).fill_((starts[view] + len(new)) % n)

    def _of(self, known: Tensor, view: int) -> Tensor:
        """Return what is known of a view: with queues that move together, of all."""
        return known[view] if self.apart else known


def _check(memory: Memory, _: object) -> None:
    memory.check()


def share(name: str, value: float) -> None:
    """Raise an InputError unless a number is a share that leaves something, within [0, 1)."""
    if not (isinstance(value, int | float) and 0 <= value < 1):
        raise InputError(f"{name}: expected a share within [0, 1), got {value}")
