"""Seeded batches and their views: batch t is a function of (seed, purpose, t), without state."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

import torch
from jaxtyping import Bool, Int64, Num
from torch import Tensor

from infomin.augment import Augmentation, JigSaw
from infomin.core import rng
from infomin.core.batching import concatenate
from infomin.core.errors import InputError
from infomin.data.source import Index, Source, as_source
from infomin.views import View

Views = Mapping[int, Tensor]
"""Views of a batch by number, 0 the first; JigSaw pieces have the numbers M, M + 1, ..."""


class Batches:
    """Endless shuffled batches of indices: every index once an epoch, a remainder dropped.

    Arguments:
        indices: to draw from, or their number.
        size: of a batch, over all processes.
        seed, stream: name the order.
        option: name of the size in messages.

    Raises:
        InputError: when a batch is larger than the data.
    """

    def __init__(
        self, indices: Tensor | int, size: int, seed: int, stream: str, option: str = "batch"
    ) -> None:
        self.indices = torch.arange(indices) if isinstance(indices, int) else indices.cpu()
        if not 1 <= size <= len(self.indices):
            raise InputError(
                f"{option}: expected 1..{len(self.indices)}, the number of images to draw from, "
                f"got {size}; set {option}={len(self.indices)} or less"
            )
        self.size, self.seed, self.stream = size, seed, stream
        self.per_epoch = len(self.indices) // size
        self._order = (-1, self.indices)  # of an epoch; one attribute, since a thread reads ahead

    def __call__(self, step: int) -> Int64[Tensor, " b"]:
        """Return the indices of batch `step`, on the CPU."""
        epoch, number = divmod(step, self.per_epoch)
        known, order = self._order
        if epoch != known:
            generator = rng.generator(self.seed, self.stream, "epoch", epoch)
            order = self.indices[torch.randperm(len(self.indices), generator=generator)]
            self._order = epoch, order
        return order[number * self.size : (number + 1) * self.size]

    def views(self, step: int) -> Sequence[int] | None:
        """Return the numbers of the views that all samples of a batch have; None is all views."""
        return None

    def crops(
        self,
        images: Tensor,
        step: int,
        augment: Augmentation,
        number: int,
        part: slice = slice(None),
    ) -> list[Tensor]:
        """Return `number` crops of every image of a part of batch `step`.

        All are made at once: a GPU takes as long for few samples as for many.

        Arguments:
            images: those of the part, `p c h w`.
            step: number of the batch.
            augment: cuts the crops.
            number: 1 for all views together, M for one per view.
            part: rows of the batch, such as this process's share.
        """
        samples, (height, width) = len(self(step)), images.shape[2:]
        params: list[Any] = []
        for i in range(number):
            generator = rng.generator(self.seed, self.stream, "crop", i, step)
            params.append(augment.sample(samples, height, width, generator)[part])
        repeated = images if number == 1 else torch.cat([images] * number)
        crops = augment.apply(repeated, concatenate(params))
        return list(crops.chunk(number))


class UniformBatches(Batches):
    """Batches in which all samples have the same views, where sensors lack some.

    Samples with the same views are one group. A group is cut into batches, a remainder dropped; a
    group smaller than a batch is one smaller batch. The batches of all groups come in a random
    order.

    Arguments:
        view_mask: views that each sample has, `n m`.
        pairs: of views that are contrasted. Groups with neither both views of a pair nor two
            samples are left out.
        size, seed, stream, option: see `Batches`.

    Raises:
        InputError: as `Batches`; when no group is left.
    """

    def __init__(
        self,
        view_mask: Bool[Tensor, "n m"],
        pairs: Sequence[tuple[int, int]],
        size: int,
        seed: int,
        stream: str,
        option: str = "batch",
    ) -> None:
        self.groups: list[tuple[tuple[int, ...], Tensor]] = []
        for row in view_mask.unique(dim=0).flip(0):
            views = tuple(row.nonzero().flatten().tolist())
            samples = (view_mask == row).all(1).nonzero().flatten()
            if len(samples) > 1 and any({*pair} <= {*views} for pair in pairs):
                self.groups.append((views, samples))
        if not self.groups:
            raise InputError(
                "data: found no two samples with the same two views, need them for a contrast; "
                "list two overlapping views first in data.views"
            )
        super().__init__(
            torch.cat([samples for _, samples in self.groups]), size, seed, stream, option
        )
        self.per_epoch = len(self._epoch_of(0))
        self._batches: tuple[int, list[tuple[tuple[int, ...], Tensor]]] = (-1, [])

    def __call__(self, step: int) -> Int64[Tensor, " b"]:
        """Return the indices of batch `step`, on the CPU."""
        return self._batch(step)[1]

    def views(self, step: int) -> Sequence[int]:
        """Return the numbers of the views that all samples of a batch have."""
        return self._batch(step)[0]

    @property
    def rows(self) -> dict[int, Int64[Tensor, " r"]]:
        """The samples that are drawn with each view, ascending."""
        numbers = sorted({view for views, _ in self.groups for view in views})
        return {
            view: torch.cat([s for views, s in self.groups if view in views]).sort().values
            for view in numbers
        }

    def _batch(self, step: int) -> tuple[tuple[int, ...], Tensor]:
        epoch, number = divmod(step, self.per_epoch)
        known, batches = self._batches
        if epoch != known:
            batches = self._epoch_of(epoch)
            self._batches = epoch, batches
        return batches[number]

    def _epoch_of(self, epoch: int) -> list[tuple[tuple[int, ...], Tensor]]:
        generator = rng.generator(self.seed, self.stream, "epoch", epoch)
        batches = []
        for views, samples in self.groups:
            order = samples[torch.randperm(len(samples), generator=generator)]
            size = min(self.size, len(samples))
            whole = len(samples) // size * size
            batches += [(views, index) for index in order[:whole].split(size)]
        return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]


class Reader:
    """The images of batch t, read ahead as long as t counts on.

    Arguments:
        source: of all images.
        batches: a function that returns the indices of batch t; a thread calls it, too.
        device: of the batches.
    """

    def __init__(
        self, source: Source, batches: Callable[[int], Index], device: torch.device
    ) -> None:
        self.source, self.batches, self.device = source, batches, device
        self._next: tuple[int, slice] | None = None
        self._images: Iterator[Tensor] = iter(())

    def __call__(self, step: int, share: slice) -> Num[Tensor, "b c h w"]:
        """Return the images of a share of batch `step`."""
        if self._next != (step, share):
            batches = self.batches  # and not self: without a cycle, reading ahead ends at once
            wanted = (batches(t)[share] for t in count(step))
            self._images = self.source.read(wanted, self.device)
        self._next = step + 1, share
        return next(self._images)


class ViewLoader:
    """Makes the views of a batch: images -> crops -> augmentation -> views, and JigSaw pieces.

    Arguments:
        source: of all training images.
        batches: the order of the images.
        augment: cuts the crops, and may change their colours.
        views: frozen.
        needed: numbers of the views that the method reads; one view takes one crop.
        jigsaw: cuts pieces of whole images; None makes none.
        jigsaw_views: numbers of the views that pieces are seen as.
        device: of the views; None is that of the source.

    Raises:
        InputError: for images too small for views or pieces.
    """

    def __init__(
        self,
        source: Source | Tensor,
        batches: Batches,
        augment: Augmentation,
        views: View,
        needed: Sequence[int],
        jigsaw: JigSaw | None = None,
        jigsaw_views: Sequence[int] = (),
        device: torch.device | None = None,
    ) -> None:
        source = as_source(source)
        height, width = source.shape[2:]
        views.check_size(*augment.output_size(height, width))
        if jigsaw is not None:
            jigsaw.check_size(height, width)
        self.reader = Reader(source, batches, device or source.device)
        self.batches, self.augment, self.views = batches, augment, views
        self.needed, self.jigsaw, self.jigsaw_views = tuple(needed), jigsaw, jigsaw_views

    @torch.no_grad()
    def load(self, step: int, share: slice, chunk: int | None = None) -> list[Views]:
        """Return the views of this process's share of batch `step`, in chunks.

        Arguments:
            step: number of the batch.
            share: rows of the batch.
            chunk: images in each part; None is all in one.
        """
        batches, index = self.batches, self.batches(step)
        params = self.views.sample(len(index), rng.generator(batches.seed, "combine", step))
        numbers = [i for i in self.needed if i in (batches.views(step) or self.needed)]
        crops = 1 if len(self.needed) == 1 else self.views.crops
        images = self.reader(step, share)
        first = share.start or 0
        parts: list[Views] = []
        for part_images in images.split(chunk or max(len(images), 1)):
            part = slice(first, first + len(part_images))
            cut = batches.crops(part_images, step, self.augment, crops, part)
            views = self.views(*cut, params=None if params is None else params[part])
            pieces = self._pieces(part_images, step, part)
            parts.append({**{i: views[i] for i in numbers}, **pieces})
            first = part.stop
        return parts

    def _pieces(self, images: Tensor, step: int, part: slice) -> Views:
        """Return nine pieces of every image, `b 9 c s s`, as each of some views."""
        if self.jigsaw is None:
            return {}
        batches, (height, width) = self.batches, images.shape[2:]
        generator = rng.generator(batches.seed, batches.stream, "jigsaw", step)
        params = self.jigsaw.sample(len(batches(step)), height, width, generator)
        pieces = self.jigsaw.apply(images, params[part])
        views = {}
        for i in self.jigsaw_views:
            seen = self.views.one(pieces.flatten(0, 1), i)
            views[len(self.views.view_channels) + i] = seen.unflatten(0, pieces.shape[:2])
        return views
