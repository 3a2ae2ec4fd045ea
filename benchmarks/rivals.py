"""The rivals of pretraining: training loops with torch's DataLoader, as users write them.

Images are in memory, as ours are; workers transform single images. The clock starts after a few
steps, when the workers run and the queue is full; the batches in the queue then are free.
"""

import time
from collections.abc import Callable
from typing import Any

import small
import torch
from PIL import Image
from timing import Measure
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from infomin.color import linear_space

BATCH, WORKERS = 256, 2
SKIP = 4  # steps before the clock runs


class Transformed(Dataset[Any]):
    """Images in memory; workers transform single images."""

    def __init__(self, images: Any, transform: Callable[[Any], Any]) -> None:
        self.images, self.transform = images, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> Any:
        return self.transform(self.images[i])


class TwoCrops:
    """Y of one crop and DbDr of another, with torchvision."""

    def __init__(self) -> None:
        crop = v2.RandomResizedCrop(32, scale=(0.5, 1.0))
        self.cut = v2.Compose([crop, v2.RandomHorizontalFlip(), v2.ToDtype(torch.float32, True)])
        self.space = linear_space("ydbdr", normalize=True)

    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return two views of one image."""
        first, second = (self.cut(image).flatten(1) for _ in range(2))
        y, dbdr = (self.space.matrix @ x + self.space.offset[:, None] for x in (first, second))
        return y[:1].view(1, 32, 32), dbdr[1:].view(2, 32, 32)


def pictures(images: Tensor) -> list[Image.Image]:
    """Return PIL images, as torchvision's data sets do."""
    return [Image.fromarray(image.numpy()) for image in images.permute(0, 2, 3, 1)]


def fed(
    images: Any, transform: Callable[[Any], Any], net: nn.Module, loss_of: Callable[[Any], Tensor]
) -> Measure:
    """Return a contender: images per second of a plain training loop, in one pass."""
    loader: DataLoader[Any] = DataLoader(
        Transformed(images, transform), BATCH, shuffle=True, drop_last=True, num_workers=WORKERS
    )
    net.train()
    optimizer = small.optimizer()(net.parameters())

    def measure() -> float:
        began = 0.0
        for step, batch in enumerate(loader):
            if step == SKIP:
                began = time.perf_counter()
            loss = loss_of(batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()  # a display needs it, as ours does
        return (len(loader) - SKIP) * BATCH / (time.perf_counter() - began)

    return measure
