"""Data sets. Every data source of this folder is a function `infomin.data.NAME`.

Sources register themselves: see `infomin.data.reading`.
"""

from infomin.core.registry import import_modules
from infomin.data.images import DataSet, ImageSet
from infomin.data.loader import Batches, UniformBatches, ViewLoader
from infomin.data.nyuv2 import Frames, nyuv2_frames
from infomin.data.reading import SOURCES, source
from infomin.data.split import labelled_subset
from infomin.data.torch_datasets import from_torch

import_modules(__name__, __path__)
globals().update(SOURCES)  # some sources have the name of their file

__all__ = [
    "SOURCES",
    "Batches",
    "DataSet",
    "Frames",
    "ImageSet",
    "UniformBatches",
    "ViewLoader",
    "from_torch",
    "labelled_subset",
    "nyuv2_frames",
    "source",
]


def __getattr__(name: str) -> object:
    raise AttributeError(f"{__name__} has no {name!r}; data sources: {', '.join(sorted(SOURCES))}")
