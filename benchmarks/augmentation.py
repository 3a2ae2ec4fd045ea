"""Augmentation on two cores: images per second for two views, and for nine JigSaw patches.

SimCLR's recipe without blur: crop of at least 8 %, flip, jitter of strength 0.5, grey; resident
images of 32 and 96 pixels. Ours augments batches of 256. lightly's SimCLRTransform on PIL images
and torchvision's v2 on tensors augment single images in two workers. kornia augments batches.
InfoMin's recipe with RandAugment and JigSaw runs against torchvision on single images. All of them
keep freed memory, as commands do.

Targets: SimCLR at least 4 x lightly at 32 pixels and 2 x at 96; InfoMin at least 2 x torchvision.
"""

import sys
from collections.abc import Callable
from functools import partial
from itertools import count

import kornia.augmentation as kornia
import per_sample
import torch
from memory import afresh
from recipes import JITTER, infomin, ours, simclr
from rivals import BATCH, pictures
from rows import Row, main
from timing import interleaved, rate
from torch import Tensor, nn

from infomin.augment import JigSaw
from infomin.core.allocator import keep_freed_memory
from infomin.data import Batches
from infomin.data.photos import photos

UNIT = "images/s"


def by_kornia(images: Tensor, size: int) -> Callable[[], object]:
    """Return a function that makes two views of the next batch with kornia."""
    transform = nn.Sequential(
        kornia.RandomResizedCrop((size, size), scale=(0.08, 1.0)),
        kornia.RandomHorizontalFlip(),
        kornia.ColorJitter(*JITTER, p=0.8),
        kornia.RandomGrayscale(p=0.2),
    )
    batches, steps = Batches(len(images), BATCH, 0, "benchmark"), count()

    def step() -> object:
        batch = images[batches(next(steps))] / 255
        return transform(batch), transform(batch)

    return step


def measure(quick: bool) -> list[Row]:
    """Measure both recipes at both sizes."""
    keep_freed_memory()
    rows, rounds = [], 1 if quick else 5
    for size, least in ((32, 4), (96, 2)):
        train = BATCH * (6 if quick else 16)
        images = photos(size=size, patch=96, train=train, test=8).train.images
        batched = partial(rate, units=BATCH, least=0.1 if quick else 2.0)
        m = interleaved(
            {
                "ours": afresh(batched(ours(images, simclr(size), BATCH))),
                "ours, InfoMin": afresh(batched(ours(images, infomin(size), BATCH, JigSaw(size)))),
                "kornia": afresh(batched(by_kornia(images, size))),
                "lightly": per_sample.loaded(pictures(images), per_sample.lightly(size)),
                "torchvision": per_sample.loaded(images, per_sample.Twice(size)),
                "torchvision, InfoMin": per_sample.loaded(images, per_sample.InfoMin(size)),
            },
            rounds,
        )
        quantity, ours_simclr = f"two views, SimCLR, {size} px", m["ours"]
        rows += [
            Row(quantity, UNIT, ours_simclr, "lightly, 2 workers", m["lightly"], least=least),
            Row(quantity, UNIT, ours_simclr, "torchvision v2, 2 workers", m["torchvision"]),
            Row(quantity, UNIT, ours_simclr, "kornia, batches", m["kornia"]),
            Row(
                f"two views and pieces, InfoMin, {size} px",
                UNIT,
                m["ours, InfoMin"],
                "torchvision v2, 2 workers",
                m["torchvision, InfoMin"],
                least=2,
            ),
        ]
    return rows


if __name__ == "__main__":
    print(f"{torch.get_num_threads()} threads", file=sys.stderr)
    main(measure)
