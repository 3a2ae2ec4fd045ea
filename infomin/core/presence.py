"""Who is there: which samples have which views, where sensors lack some of them.

A table of presence has a row for each sample and a column for each view. None instead of a table
says that nothing is missing; then nothing is selected, and everything is computed as if nothing
ever could be. Tables and the places that follow from them stay on the CPU, as indices do.
"""

from collections.abc import Sequence
from itertools import zip_longest
from math import ceil
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from infomin.core.errors import InputError
from infomin.core.shapes import Seen

Present = Bool[Tensor, "n m"]
Here = Bool[Tensor, "b m"]
"""Presence in a batch."""
Places = Int64[Tensor, " p"]
FEWEST = 2
"""Samples that a contrast needs, and batch statistics."""


def unless_all(present: Present | None) -> Present | None:
    """Return a table; None where everything is there."""
    return None if present is None or bool(present.all()) else present


def of_views(
    present: Present | None,
    groups: Sequence[Sequence[int]],
    sources: Sequence[Sequence[int]],
) -> Bool[Tensor, "n v"] | None:
    """Return who has views that are made of what sensors see: all sensors of a view are needed.

    Arguments:
        present: who has which sensor.
        groups: channels of every sensor.
        sources: channels that every view is made of.
    """
    if present is None:
        return None
    needed = [[i for i, group in enumerate(groups) if {*group} & {*view}] for view in sources]
    return unless_all(torch.stack([present[:, sensors].all(1) for sensors in needed], 1))


def in_batch(present: Present | None, index: Int64[Tensor, " b"]) -> Here | None:
    """Return who is there in a batch; a view that a single sample has counts as absent.

    One embedding is contrasted with nothing, and one image has no batch statistics.
    """
    if present is None:
        return None
    here = present[index]
    return here & (here.sum(0) >= FEWEST)


def both(here: Here | None, i: int, j: int) -> Places | None:
    """Return the places of the samples that have two views; None for all."""
    return None if here is None else _places(here[:, i] & here[:, j])


def paired(present: Present | None, pairs: Sequence[tuple[int, int]]) -> Present | None:
    """Return who is there of the samples that have both views of any pair; of others, nothing."""
    if present is None:
        return None
    met = torch.stack([present[:, i] & present[:, j] for i, j in pairs]).any(0)
    return present & met[:, None]


def having(present: Present | None, view: int) -> Places | None:
    """Return the samples that have a view, ascending; None for all."""
    return None if present is None else _places(present[:, view])


def fewest(present: Present | None, n: int) -> int:
    """Return the smallest number of samples that any two views share, of n samples in all."""
    if present is None:
        return n
    shared = present.T.long() @ present.long()
    return int(shared.min())


def somebody(present: Present | None) -> Places | None:
    """Return the samples that have any view, ascending; None for all."""
    return None if present is None else _places(present.any(1))


def split(present: Present | None, n: int, size: int) -> Sequence[Here | None]:
    """Return who is there of so many samples at a time, for n samples in all."""
    return [None] * ceil(n / size) if present is None else present.split(size)


def chosen(x: Tensor, which: Places | None) -> Tensor:
    """Return some rows; all for None."""
    return x if which is None else x[which]


def only(views: Sequence[Tensor], here: Here | None) -> tuple[Seen, ...]:
    """Return of each view the images that are there."""
    return tuple(chosen(of_view, having(here, i)) for i, of_view in enumerate(views))


def put_back(rows: Sequence[Float[Tensor, "_ _"]], here: Here | None) -> list[Float[Tensor, "b _"]]:
    """Return what was made of each view's images, with zeros where there was none; see `only`."""
    if here is None:
        return [*rows]
    whole = []
    for i, of_view in enumerate(rows):
        zeros = of_view.new_zeros(len(here), of_view.shape[1])
        zeros[_places(here[:, i])] = of_view
        whole.append(zeros)
    return whole


def in_chunks(
    chunks: Sequence[tuple[Tensor, ...]], here: Here | None, size: int
) -> list[tuple[Tensor, ...]]:
    """Return chunks of the images that are there, each view cut into parts of like length.

    Parts of like length have no single image left over at the end; a rare view has fewer parts,
    and none of its images in the last chunks.

    Arguments:
        chunks: views of a batch, some images at a time.
        here: who is there, of the whole batch.
        size: most images at a time.
    """
    if here is None:
        return [*chunks]
    whole = only([torch.cat(of_view) for of_view in zip(*chunks, strict=True)], here)
    parts = [of_view.tensor_split(max(1, ceil(len(of_view) / size))) for of_view in whole]
    return [
        tuple(
            of_view[:0] if part is None else part for part, of_view in zip(row, whole, strict=True)
        )
        for row in zip_longest(*parts)
    ]


def needs_all(present: Present | None, name: str, purpose: str) -> None:
    """Make sure that no sample lacks a view.

    Raises:
        InputError: when some do.
    """
    if present is not None:
        told = count(present)
        raise InputError(
            f"{name}: {purpose} needs every view of every sample, {told['samples'] - told['all']} "
            f"of {told['samples']} lack some; leave those out"
        )


def count(present: Present) -> dict[str, Any]:
    """Return how many samples there are, how many have each view, two or more, and all."""
    several = present.sum(1) >= FEWEST
    return {
        "samples": len(present),
        "views": present.sum(0).tolist(),
        "several": int(several.sum()),
        "all": int(present.all(1).sum()),
    }


def _places(mask: Bool[Tensor, " n"]) -> Places:
    return mask.nonzero().squeeze(1)
