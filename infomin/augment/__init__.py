"""Batched augmentation: crops and flips, RandAugment, jigsaw puzzles, and their composition.

Changes of colour, which learned views can have as well, are in `infomin.photometric`.
"""

from infomin.augment.crop import Boxes, CropFlip, Nothing, Whole, as_float, resize
from infomin.augment.jigsaw import JigSaw, Puzzle
from infomin.augment.pipeline import Pipeline, Steps
from infomin.augment.randaugment import OPERATIONS, Plan, RandAugment

Augment = CropFlip | Whole | Pipeline

__all__ = [
    "OPERATIONS",
    "Augment",
    "Boxes",
    "CropFlip",
    "JigSaw",
    "Nothing",
    "Pipeline",
    "Plan",
    "Puzzle",
    "RandAugment",
    "Steps",
    "Whole",
    "as_float",
    "resize",
]
