"""An objective from a handful of plain numbers: a loss, a memory, a graph of views."""

from collections.abc import Mapping, Sequence
from typing import Any

from infomin.core.errors import InputError, blamed_on, one_of, whole_number
from infomin.core.presence import Present, unless_all
from infomin.losses import pairs, sides
from infomin.methods.memory import MemoryBank, MomentumQueue
from infomin.methods.objectives.banked import Banked
from infomin.methods.objectives.base import Objective
from infomin.methods.objectives.contrasts import CONTRASTS, build_contrast
from infomin.methods.objectives.in_batch import InBatch
from infomin.methods.objectives.queued import Queued
from infomin.models import Encoders

MEMORIES = ("none", "bank", "queue")


def build_objective(
    encoders: Encoders,
    samples: int,
    batch: int,
    temperature: float,
    loss: Mapping[str, Any] | None = None,
    memory: Mapping[str, Any] | None = None,
    graph: str = "full",
    weights: Sequence[float] | None = None,
    seed: int = 0,
    chunk: int | None = None,
    present: Present | None = None,
    jigsaw: bool = False,
) -> Objective:
    """Build what encoders are trained by; by default in-batch InfoNCE of all pairs of views.

    Arguments:
        encoders: one per view.
        samples: n, of the data.
        batch: K of negatives in the batch.
        temperature: of the scores.
        loss: `name`, one of `CONTRASTS`, and what it takes: `every`, `margin`.
        memory: `kind`, one of `MEMORIES`, and what it takes: `within` of none, `negatives`,
            `momentum`, `draws`, `positive`, `dtype` of a bank, `size`, `momentum`, `dtype`,
            `groups` of a queue.
        graph, weights: see `Objective`.
        seed: of rows and draws.
        chunk: rows of the scores of a batch that are there at a time; None is all.
        present: who has which view, of all samples; None is everybody all.
        jigsaw: whether puzzles ask, too; see `Objective.against`.

    Raises:
        InputError: for an unknown name or option, or numbers that do not go together.
    """
    loss, memory = dict(loss or {"name": "infonce"}), dict(memory or {"kind": "none"})
    name, kind = loss.pop("name"), memory.pop("kind")
    one_of("loss", name, CONTRASTS)
    one_of("memory", kind, MEMORIES)
    views, width = len(encoders), encoders.width
    rows_of = len(sides(views, graph)[1])
    directions = 2 * len(pairs(views, graph)) * (2 if jigsaw else 1)
    with blamed_on(f"loss={name}"):
        contrast = build_contrast(name, directions, samples, temperature, **loss)
    common: dict[str, Any] = {"contrast": contrast, "graph": graph, "weights": weights}
    common["present"] = present = unless_all(present)
    with blamed_on(f"memory={kind}"):
        if kind == "none":
            return InBatch(views, batch - 1, **common, **memory, rows=chunk)
        if kind == "queue":
            size = memory.pop("size")
            whole_number("memory.size", size, 1)
            if size < batch:
                raise InputError(f"memory.size: expected at least a batch, {batch}, got {size}")
            dtype, apart = memory.pop("dtype", "float32"), present is not None
            queue = MomentumQueue(rows_of, size, width, dtype, seed, apart)
            return Queued(queue, encoders, **common, **memory, seed=seed)
        rows = {o: memory.pop(o) for o in ("momentum", "dtype") if o in memory}
        bank = MemoryBank(rows_of, samples, width, **rows, seed=seed)
        return Banked(bank, **common, **memory, batch=batch, seed=seed, views=views)
