"""Whole frames of NYU Depth V2 with a class for each pixel, for segmentation.

Label files hold the classes of NYU40, from 0: 0 is wall, 38 is other furniture. Other props and
unlabelled pixels are 255 and are ignored. So there are 39 classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn import functional as F

from infomin.core.errors import InputError, one_of, whole_number
from infomin.data.images import UNLABELLED, DataSet, ImageSet
from infomin.data.nyuv2 import CHANNELS, CLASSES, frame_files, read_frame
from infomin.data.reading import Counter, Progress, in_threads

IGNORED = 255
"""Label of ignored pixels."""
ALL_CLASSES = (*CLASSES, "other_structure", "other_furniture")


@dataclass(frozen=True)
class Frames:
    """Training and test frames with a label for each pixel.

    Attributes:
        images: the frames, unlabelled as a whole.
        train, test: labels of their pixels, which index `classes`, or `IGNORED`.
        classes: class names.
    """

    images: DataSet
    train: UInt8[Tensor, "n h w"]
    test: UInt8[Tensor, "m h w"]
    classes: tuple[str, ...]


def nyuv2_frames(
    root: str | None = None,
    height: int = 72,
    width: int = 96,
    channels: str = "rgb",
    progress: Progress = None,
) -> Frames:
    """Read whole frames into memory, without their white border, and resize them.

    Images are resized with antialiasing; labels are those of the nearest pixel.

    Arguments:
        root: the folder of `{train,test}/{rgb,depth,label40}/`.
        height, width: size of the resulting frames, in pixels; files have 224 x 304 inside their
            border.
        channels: `rgbd`, or `rgb` without depth.
        progress: takes the number of frames that are done, and of all.

    Raises:
        InputError: for a missing folder or file, one that cannot be read or has an unknown class,
            or a number out of range.
    """
    if root is None:
        raise InputError(
            "data.root: expected the folder of train/rgb, train/label40, ..., got none"
        )
    one_of("data.channels", channels, CHANNELS)
    whole_number("data.height", height, 1)
    whole_number("data.width", width, 1)
    size = (height, width)

    def read(files: Sequence[Path]) -> tuple[Tensor, Tensor]:
        frame = read_frame(files)
        labels = frame[4:]
        known = labels[labels != IGNORED]
        if known.numel() and known.max() >= len(ALL_CLASSES):
            raise InputError(
                f"{files[2]}: holds class {known.max()}, expected 0..{len(ALL_CLASSES) - 1}, or "
                f"{IGNORED} for none"
            )
        image = frame[None, : len(CHANNELS[channels])].float()
        image = F.interpolate(image, size, mode="bilinear", antialias=True).round().byte()
        return image[0], F.interpolate(labels[None], size, mode="nearest-exact")[0, 0]

    splits = [frame_files(Path(root).expanduser() / split) for split in ("train", "test")]
    counter = Counter(progress, sum(map(len, splits)))
    sets, maps = [], []
    for split in splits:
        with in_threads(read, split, counter.add) as frames:
            images, labels = zip(*frames, strict=True)
        sets.append(ImageSet(torch.stack(images), torch.full((len(images),), UNLABELLED)))
        maps.append(torch.stack(labels))
    data = DataSet("nyuv2", sets[0], sets[1], (), channel_names=CHANNELS[channels])
    return Frames(data, maps[0], maps[1], ALL_CLASSES)
