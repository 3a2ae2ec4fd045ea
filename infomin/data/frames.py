"""Whole frames of NYU Depth V2 and the class of each of their pixels, for segmentation.

Label files hold NYU40 less one: 0 is wall, 38 other furniture. Other props, and what nobody
labelled, are 255, which counts for nothing. So there are 39 classes.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn import functional as F

from infomin.core.errors import InputError, one_of, whole_number
from infomin.data.images import UNLABELLED, DataSet, ImageSet
from infomin.data.nyuv2 import CHANNELS, CLASSES, frame_files, read_frame

IGNORED = 255
"""Label of a pixel that counts for nothing."""
ALL_CLASSES = (*CLASSES, "other_structure", "other_furniture")


@dataclass(frozen=True)
class Frames:
    """Training and test frames, with a label for every pixel.

    Attributes:
        images: the frames, without a label for the whole of them.
        train, test: labels of their pixels, which index `classes`; `IGNORED` is none.
        classes: class names.
    """

    images: DataSet
    train: UInt8[Tensor, "n h w"]
    test: UInt8[Tensor, "m h w"]
    classes: tuple[str, ...]


def nyuv2_frames(
    root: str | None = None, height: int = 72, width: int = 96, channels: str = "rgbd"
) -> Frames:
    """Read whole frames into memory, less their white border, and resized.

    Images are resized with antialiasing; a label is that of the nearest pixel.

    Arguments:
        root: the folder of `{train,test}/{rgb,depth,label40}/`.
        height, width: of what comes out, in pixels; frames have 224 and 304 inside their border.
        channels: `rgbd`, or `rgb` without depth.

    Raises:
        InputError: for a missing folder or file, one that cannot be read or holds another class, or
            a number out of range.
    """
    if root is None:
        raise InputError(
            "data.root: expected the folder of train/rgb, train/label40, ..., got none"
        )
    one_of("data.channels", channels, CHANNELS)
    whole_number("data.height", height, 1)
    whole_number("data.width", width, 1)
    size = (height, width)

    def read(frame: Sequence[Path]) -> tuple[Tensor, Tensor]:
        whole = read_frame(frame)
        labels = whole[4:]
        known = labels[labels != IGNORED]
        if known.numel() and known.max() >= len(ALL_CLASSES):
            raise InputError(
                f"{frame[2]}: holds class {known.max()}, expected 0..{len(ALL_CLASSES) - 1}, or "
                f"{IGNORED} for none"
            )
        image = whole[None, : len(CHANNELS[channels])].float()
        image = F.interpolate(image, size, mode="bilinear", antialias=True).round().byte()
        return image[0], F.interpolate(labels[None], size, mode="nearest-exact")[0, 0]

    sets, maps = [], []
    for files in [frame_files(Path(root).expanduser() / split) for split in ("train", "test")]:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            images, labels = zip(*pool.map(read, files), strict=True)
        sets.append(ImageSet(torch.stack(images), torch.full((len(images),), UNLABELLED)))
        maps.append(torch.stack(labels))
    data = DataSet("nyuv2", sets[0], sets[1], (), channel_names=CHANNELS[channels])
    return Frames(data, maps[0], maps[1], ALL_CLASSES)
