"""Augmentation of single images in the workers of torch's DataLoader, as users write it."""

import time
from collections.abc import Callable
from typing import Any

import torch
from lightly.transforms.simclr_transform import SimCLRTransform
from recipes import JITTER, STRONG
from rivals import BATCH, SKIP, WORKERS, Transformed
from timing import Measure
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.transforms import v2


def loaded(images: Any, transform: Callable[[Any], Any]) -> Measure:
    """Return a contender: images per second, two views each, in one pass through a loader."""
    loader: DataLoader[Any] = DataLoader(
        Transformed(images, transform), BATCH, shuffle=True, drop_last=True, num_workers=WORKERS
    )

    def measure() -> float:
        began = 0.0
        for step, _ in enumerate(loader):
            if step == SKIP:
                began = time.perf_counter()
        return (len(loader) - SKIP - 1) * BATCH / (time.perf_counter() - began)

    return measure


def lightly(size: int) -> Callable[[Any], Any]:
    """Return lightly's two views of SimCLR without blur, for a PIL image."""
    transform: Callable[[Any], Any] = SimCLRTransform(
        input_size=size, cj_strength=0.5, gaussian_blur=0.0, normalize=None
    )
    return transform


class Twice:
    """Torchvision's two views of SimCLR without blur, for a uint8 tensor."""

    def __init__(self, size: int) -> None:
        self.transform = v2.Compose(
            [
                v2.RandomResizedCrop(size, scale=(0.08, 1.0)),
                v2.RandomHorizontalFlip(),
                v2.RandomApply([v2.ColorJitter(*JITTER)], p=0.8),
                v2.RandomGrayscale(0.2),
                v2.ToDtype(torch.float32, scale=True),
            ]
        )

    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return two views of one image."""
        return self.transform(image), self.transform(image)


class InfoMin:
    """Torchvision's two views and nine JigSaw patches of InfoMin, for a uint8 tensor.

    RandAugment has torchvision's 14 operations, each with probability 1/2 as in InfoMin's code.
    """

    def __init__(self, size: int) -> None:
        kernel = 2 * round(0.05 * size) + 1  # a tenth of the image
        rand = v2.RandomApply([v2.RandAugment(num_ops=1, magnitude=30)], p=0.5)
        self.view = v2.Compose(
            [
                v2.RandomResizedCrop(size, scale=(0.2, 1.0)),
                v2.RandomHorizontalFlip(),
                v2.RandomApply([v2.ColorJitter(*STRONG)], p=0.8),
                v2.RandomApply([v2.GaussianBlur(kernel, (0.1, 2.0))], p=0.5),
                rand,
                rand,
                v2.RandomGrayscale(0.2),
                v2.ToDtype(torch.float32, scale=True),
            ]
        )
        self.cell, self.piece = round(size * 85 / 224), round(size * 64 / 224)
        self.square = v2.Compose(
            [v2.RandomResizedCrop(3 * self.cell, scale=(0.6, 1.0)), v2.RandomHorizontalFlip()]
        )
        self.cut = v2.Compose([v2.RandomCrop(self.piece), v2.ToDtype(torch.float32, scale=True)])

    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return two views and the patches of one image."""
        square = self.square(image)
        cells = [c for row in square.split(self.cell, 1) for c in row.split(self.cell, 2)]
        pieces = torch.stack([self.cut(cells[i]) for i in torch.randperm(9)])
        return self.view(image), self.view(image), pieces
