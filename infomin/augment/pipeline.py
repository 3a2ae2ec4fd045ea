"""Crop, then colour jitter, then RandAugment, in the order of InfoMin's code.

crop -> flip -> jitter -> blur -> RandAugment -> grey
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from infomin.augment.base import Augmentation
from infomin.augment.color_jitter import ColorJitter, ColorJitterParams, check_unit_range
from infomin.augment.crop import CropFlip, CropParams, Whole, as_float
from infomin.augment.randaugment import RandAugment, RandAugmentParams
from infomin.core.batching import Params
from infomin.core.shapes import Images


@dataclass(frozen=True)
class PipelineParams(Params):
    """Sampled parameters of each step; `Params()` for a step that samples nothing."""

    crop: CropParams | Params
    photometric: ColorJitterParams
    randaugment: RandAugmentParams | Params


class Pipeline(Augmentation):
    """A crop, then colour jitter, then RandAugment.

    The crops are those of `crop` alone, and the colour jitter is that without RandAugment: runs
    with and without these steps differ in nothing else.

    Arguments:
        crop: the first step.
        photometric: colour jitter and blur of the crops; grey is the last step of all.
        randaugment: the step before grey; None for none.
    """

    def __init__(
        self,
        crop: CropFlip | Whole,
        photometric: ColorJitter,
        randaugment: RandAugment | None = None,
    ) -> None:
        self.crop: Augmentation = crop
        self.photometric, self.randaugment = photometric, randaugment

    def sample(self, n: int, height: int, width: int, generator: torch.Generator) -> PipelineParams:
        """Sample n crops in images of this height and width, and their changes."""
        crop = self.crop.sample(n, height, width, generator)
        photometric = self.photometric.sample(n, generator)
        randaugment = self.randaugment.sample(n, generator) if self.randaugment else Params()
        return PipelineParams(crop, photometric, randaugment)

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the size of the crops."""
        return self.crop.output_size(height, width)

    def check_size(self, height: int, width: int, setting: str = "encoder.size") -> None:
        """Check the size for the crop; see `Augmentation`."""
        self.crop.check_size(height, width, setting)

    def apply(self, images: Tensor, params: PipelineParams) -> Images:
        """Crop and change uint8 or float images; float, in [0, 1]."""
        self.photometric.check_channels(images.shape[1])
        crops = self.crop.apply(images, params.crop)
        x = as_float(crops)
        if images.dtype != torch.uint8:  # uint8 is in [0, 1]: no need to wait for a GPU
            check_unit_range("augment", x)
        x = x.clone() if x is images else x
        if self.randaugment is None or not isinstance(params.randaugment, RandAugmentParams):
            self.photometric.apply_(x, params.photometric)
            return x
        self.randaugment.check_channels(images.shape[1])
        in_color = replace(params.photometric, gray=torch.zeros_like(params.photometric.gray))
        self.photometric.apply_(x, in_color)
        self.randaugment.apply_(x, params.randaugment)
        self.photometric.gray_(x, params.photometric)
        return x
