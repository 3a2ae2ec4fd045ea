"""Two augmented views of every image, and nine pieces: images a second, on two cores.

SimCLR's recipe without blur (crop of 8 % or more, flip, jitter of strength 0.5, grey), of resident
images, at 32 and 96 pixels: ours, a batch of 256 at a time; lightly's SimCLRTransform on pictures
and torchvision's v2 on tensors, one by one in two workers; kornia, in batches. Then InfoMin's whole
recipe, RandAugment and JigSaw with it, against torchvision one by one. Freed memory is kept, for
all of them, as scripts keep it.

Targets: SimCLR at least 4 x lightly at 32 pixels and 2 x at 96; InfoMin at least 2 x one by one.
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
from infomin.data import Batches, photos

UNIT = "images/s"


def kornias(images: Tensor, size: int) -> Callable[[], object]:
    """Return what makes two views of the next batch with kornia."""
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
    """Measure at both sizes."""
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
                "kornia": afresh(batched(kornias(images, size))),
                "lightly": per_sample.loaded(pictures(images), per_sample.lightly(size)),
                "torchvision": per_sample.loaded(images, per_sample.Twice(size)),
                "one by one": per_sample.loaded(images, per_sample.InfoMin(size)),
            },
            rounds,
        )
        what, mine = f"two views, SimCLR, {size} px", m["ours"]
        rows += [
            Row(what, UNIT, mine, "lightly, 2 workers", m["lightly"], least=least),
            Row(what, UNIT, mine, "torchvision v2, 2 workers", m["torchvision"]),
            Row(what, UNIT, mine, "kornia, batches", m["kornia"]),
            Row(
                f"two views and pieces, InfoMin, {size} px",
                UNIT,
                m["ours, InfoMin"],
                "torchvision v2, 2 workers",
                m["one by one"],
                least=2,
            ),
        ]
    return rows


if __name__ == "__main__":
    print(f"{torch.get_num_threads()} threads", file=sys.stderr)
    main(measure)
