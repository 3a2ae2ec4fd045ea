"""Data sets in memory. Every data source of this folder is a function `infomin.data.NAME`.

Sources register themselves: see `infomin.data.registry`.
"""

from importlib import import_module
from pkgutil import iter_modules

from infomin.data.frames import Frames, nyuv2_frames
from infomin.data.images import DataSet, ImageSet
from infomin.data.loader import Batches, UniformBatches, ViewLoader
from infomin.data.registry import SOURCES, source
from infomin.data.split import labelled_subset
from infomin.data.torch_datasets import from_torch

for _file in iter_modules(__path__):
    import_module(f"{__name__}.{_file.name}")
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
