"""Endless seeded batches: batch t is a function of (seed, purpose, t), so nothing needs saving."""

from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from infomin.augment import Augment
from infomin.core import rng
from infomin.core.batching import join
from infomin.core.errors import InputError
from infomin.data.values import take


class Batches:
    """Shuffled batches of indices, every index once an epoch, a rest dropped.

    Arguments:
        indices: what to draw from, or how many there are.
        size: of a batch, over all processes.
        seed, stream: name the order.
        option: what a user sets the size by.

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
                f"got {size}"
            )
        self.size, self.seed, self.stream = size, seed, stream
        self.per_epoch = len(self.indices) // size
        self._epoch, self._order = -1, self.indices

    def __call__(self, step: int) -> Int64[Tensor, " b"]:
        """Return the indices of batch `step`, on the CPU."""
        epoch, place = divmod(step, self.per_epoch)
        if epoch != self._epoch:
            generator = rng.generator(self.seed, self.stream, "epoch", epoch)
            self._order = self.indices[torch.randperm(len(self.indices), generator=generator)]
            self._epoch = epoch
        return self._order[place * self.size : (place + 1) * self.size]

    def crops(
        self,
        images: Tensor,
        step: int,
        augment: Augment,
        number: int,
        part: slice = slice(None),
    ) -> tuple[list[Tensor], Tensor]:
        """Return `number` crops of every image of batch `step`, and the indices.

        All are made at once: a GPU takes as long for few samples as for many.

        Arguments:
            images: all of them, `n c h w`.
            step: which batch.
            augment: cuts the crops.
            number: 1 for all views together, M for one a view.
            part: this process's share of the batch.
        """
        chosen = self(step)[part]
        height, width = images.shape[2:]
        drawn: list[Any] = []
        for i in range(number):
            generator = rng.generator(self.seed, self.stream, "crop", i, step)
            drawn.append(augment.sample(self.size, height, width, generator).part(part))
        cut = augment.apply(take(images, chosen.repeat(number)), join(drawn))
        return list(cut.chunk(number)), chosen
