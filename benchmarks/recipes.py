"""The recipes of SimCLR and InfoMin, and our views by them."""

from collections.abc import Callable
from itertools import count

import torch
from torch import Tensor

from infomin.augment import CropFlip, JigSaw, Pipeline, RandAugment
from infomin.augment.color_jitter import ColorJitter
from infomin.core.batching import take
from infomin.data import Batches

JITTER = (0.4, 0.4, 0.4, 0.1)  # brightness, contrast, saturation, hue: photometric=simclr
STRONG = (0.8, 0.8, 0.8, 0.2)  # photometric=simclr_224


def simclr(size: int) -> Pipeline:
    """Return SimCLR's recipe without blur."""
    return Pipeline(CropFlip(size, (0.08, 1.0)), ColorJitter(*JITTER, jitter=0.8, gray=0.2))


def infomin(size: int) -> Pipeline:
    """Return InfoMin's recipe for its two views."""
    blurred = ColorJitter(*STRONG, jitter=0.8, gray=0.2, blur=0.5, sigma=(0.1, 2.0))
    return Pipeline(CropFlip(size, (0.2, 1.0)), blurred, RandAugment("infomin"))


def ours(
    images: Tensor, augment: Pipeline, batch: int, jigsaw: JigSaw | None = None
) -> Callable[[], object]:
    """Return a function that makes two views, and JigSaw patches, of the next batch."""
    batches, steps = Batches(len(images), batch, 0, "benchmark"), count()

    def step() -> object:
        number = next(steps)
        chosen = take(images, batches(number))
        views = batches.crops(chosen, number, augment, 2)
        if jigsaw is None:
            return views
        height, width = images.shape[2:]
        generator = torch.Generator().manual_seed(number)
        params = jigsaw.sample(batch, height, width, generator)
        return views, jigsaw.apply(chosen, params)

    return step
