"""Data: every source becomes resident tensors, cached on disk, cut into seeded batches."""

from infomin.data.arrays import arrays
from infomin.data.folder import image_folder
from infomin.data.frames import Frames, nyuv2_frames
from infomin.data.images import DataSet, ImageSet
from infomin.data.labels import labelled_subset
from infomin.data.loader import Batches, UniformBatches, ViewLoader
from infomin.data.nyuv2 import nyuv2
from infomin.data.paired import paired_folders
from infomin.data.photos import photos
from infomin.data.scenes import scenes
from infomin.data.standard import cifar10, cifar100, mnist, stl10
from infomin.data.windows import windows

__all__ = [
    "Batches",
    "DataSet",
    "Frames",
    "ImageSet",
    "UniformBatches",
    "ViewLoader",
    "arrays",
    "cifar10",
    "cifar100",
    "image_folder",
    "labelled_subset",
    "mnist",
    "nyuv2",
    "nyuv2_frames",
    "paired_folders",
    "photos",
    "scenes",
    "stl10",
    "windows",
]
