"""Batched augmentation: crops and flips, RandAugment, jigsaw puzzles, and their composition.

Changes of colour, which learned views can have as well, are in `infomin.augment.color_jitter`.
"""

from infomin.augment.crop import CropFlip, CropParams, NoParams, Whole, as_float, resize
from infomin.augment.jigsaw import JigSaw, JigSawParams
from infomin.augment.pipeline import Pipeline, PipelineParams
from infomin.augment.randaugment import OPERATIONS, RandAugment, RandAugmentParams

Augment = CropFlip | Whole | Pipeline

__all__ = [
    "OPERATIONS",
    "Augment",
    "CropFlip",
    "CropParams",
    "JigSaw",
    "JigSawParams",
    "NoParams",
    "Pipeline",
    "PipelineParams",
    "RandAugment",
    "RandAugmentParams",
    "Whole",
    "as_float",
    "resize",
]
