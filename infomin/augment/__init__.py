"""Batched augmentation: crop, colour jitter, RandAugment, JigSaw, and their composition."""

from infomin.augment.base import Augmentation
from infomin.augment.color_jitter import ColorJitter, ColorJitterParams
from infomin.augment.crop import CropFlip, CropParams, Whole, as_float, resize
from infomin.augment.jigsaw import JigSaw, JigSawParams
from infomin.augment.pipeline import Pipeline, PipelineParams
from infomin.augment.randaugment import OPERATIONS, RandAugment, RandAugmentParams

__all__ = [
    "OPERATIONS",
    "Augmentation",
    "ColorJitter",
    "ColorJitterParams",
    "CropFlip",
    "CropParams",
    "JigSaw",
    "JigSawParams",
    "Pipeline",
    "PipelineParams",
    "RandAugment",
    "RandAugmentParams",
    "Whole",
    "as_float",
    "resize",
]
