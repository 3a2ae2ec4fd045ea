"""What every data source gives: resident uint8 images with labels, for training and for test."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from infomin.augment import resize
from infomin.errors import InputError

UNLABELLED = -1


@dataclass(frozen=True)
class ImageSet:
    """Images and their labels; -1 marks an image without one.

    Attributes:
        images: `n c h w`, uint8, 0..255.
        labels: `n`.
    """

    images: UInt8[Tensor, "n c h w"]
    labels: Int64[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.images)

    def labelled(self) -> "ImageSet":
        """Return the images that have a label."""
        known = self.labels != UNLABELLED
        return self if bool(known.all()) else ImageSet(self.images[known], self.labels[known])

    def to(self, device: torch.device) -> "ImageSet":
        """Move to a device."""
        return ImageSet(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True)
class DataSet:
    """A data set: training and test images of one size, and the names of things.

    Attributes:
        name: what cards and records call it.
        train, test: two disjoint sets.
        classes: class names; labels index them; empty when nothing is labelled.
        skipped: number of unreadable files that were left out.
    """

    name: str
    train: ImageSet
    test: ImageSet
    classes: tuple[str, ...]
    skipped: int = 0

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.train.images.shape[1]

    @property
    def size(self) -> int:
        """Side of the images, in pixels."""
        return self.train.images.shape[-1]

    def needs_classes(self, purpose: str) -> None:
        """Make sure that there is something to classify, and to judge that on.

        Raises:
            InputError: with fewer than two classes among the labels, or none in the test set.
        """
        present = torch.unique(self.train.labelled().labels)
        if len(present) < 2:
            raise InputError(
                f"data {self.name}: {purpose} needs at least 2 classes, got {len(present)}"
                + (f" ({self.classes[int(present[0])]})" if len(present) else "")
                + "; put images into one folder per class"
            )
        if not len(self.test.labelled()):
            raise InputError(
                f"data {self.name}: {purpose} needs labelled test images, got none; put them into "
                "one folder per class"
            )

    def to(self, device: torch.device) -> "DataSet":
        """Move the images to a device."""
        return replace(self, train=self.train.to(device), test=self.test.to(device))


def fit(images: UInt8[Tensor, "n c h w"], size: int | None) -> UInt8[Tensor, "n c s s"]:
    """Resize square images, antialiased, in chunks; None keeps them."""
    if size is None or size == images.shape[-1]:
        return images.contiguous()
    parts = [(resize(part, size) * 255).round().to(torch.uint8) for part in images.split(2048)]
    return torch.cat(parts)
