"""Crops, and what happens to them afterwards, in the order of InfoMin's code.

crop -> flip -> jitter -> blur -> RandAugment -> grey
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from infomin.augment.color_jitter import ColorJitter, ColorJitterParams, floats
from infomin.augment.crop import CropFlip, CropParams, NoParams, Whole, as_float
from infomin.augment.randaugment import RandAugment, RandAugmentParams
from infomin.core.shapes import Images


@dataclass(frozen=True)
class PipelineParams:
    """What a `Pipeline` does to each sample of a batch."""

    boxes: CropParams | NoParams
    changes: ColorJitterParams
    plan: RandAugmentParams | NoParams

    def part(self, which: slice) -> "PipelineParams":
        """Return the steps of a part of the batch."""
        return PipelineParams(
            self.boxes.part(which), self.changes.part(which), self.plan.part(which)
        )


class Pipeline:
    """A crop, then a change of its colours, then RandAugment; drawn and applied as a `CropFlip`.

    The crops are those that `crop` alone would draw, and the changes of colours those without
    RandAugment, so that runs with and without it differ in nothing else.

    Arguments:
        crop: cuts.
        photometric: changes what was cut.
        randaugment: comes before grey, which is the last; None is left out.
    """

    def __init__(
        self,
        crop: CropFlip | Whole,
        photometric: ColorJitter,
        randaugment: RandAugment | None = None,
    ) -> None:
        self.crop: Any = crop
        self.photometric, self.randaugment = photometric, randaugment

    def sample(self, n: int, height: int, width: int, generator: torch.Generator) -> PipelineParams:
        """Draw n crops in images of this height and width, and what happens to them."""
        boxes = self.crop.sample(n, height, width, generator)
        changes = self.photometric.sample(n, generator)
        plan = self.randaugment.sample(n, generator) if self.randaugment else NoParams()
        return PipelineParams(boxes, changes, plan)

    def frame(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of what comes out of images of this height and width."""
        size: tuple[int, int] = self.crop.frame(height, width)
        return size

    def apply(self, images: Tensor, steps: PipelineParams) -> Images:
        """Cut and change uint8 or float images; float, [0, 1]."""
        self.photometric.fits(images.shape[1])
        cut, changes = self.crop.apply(images, steps.boxes), steps.changes
        x = as_float(cut)
        if images.dtype != torch.uint8:  # bytes are within [0, 1], and a GPU is not waited for
            floats("augment", x)
        x = x.clone() if x is images else x
        if self.randaugment is None or isinstance(steps.plan, NoParams):
            self.photometric.change(x, changes)
            return x
        self.randaugment.fits(images.shape[1])
        self.photometric.change(x, changes.in_color())
        self.randaugment.change(x, steps.plan)
        self.photometric.take_color(x, changes)
        return x

    def __call__(self, images: Tensor, generator: torch.Generator) -> Images:
        """Draw and apply."""
        n, _, height, width = images.shape
        return self.apply(images, self.sample(n, height, width, generator))
