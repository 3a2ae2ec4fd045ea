"""Images of 2 to 16 channels, as NumPy files: `train_images.npy`, `test_images.npy`, ..."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from infomin.core.errors import InputError
from infomin.data import values
from infomin.data.images import UNLABELLED, DataSet, ImageSet


def arrays(
    root: str | None = None,
    size: int | None = None,
    value_range: Sequence[float] | None = None,
    channel_names: Sequence[str] | None = None,
) -> DataSet:
    """Read `{train,test}_images.npy`, and `{train,test}_labels.npy` where there are labels.

    Images are `n c h w`, uint8, uint16 or float (held as float32), squares, of 2 to 16 channels.
    Labels are `n` integers, -1 for none; classes are called by their numbers.

    Arguments:
        root: the folder that holds the files.
        size: side in pixels that images are resized to (antialiased); None keeps them.
        value_range: lowest and highest value; None is [0, 65535] of uint16, [0, 1] of others.
        channel_names: None is R, G, B of three channels, channel_0, ... of others.

    Raises:
        InputError: for a file that is missing, damaged, of another shape or type, or an image with
            values outside the range.
    """
    if root is None:
        raise InputError("data.root: expected the folder of train_images.npy, got none")
    folder = Path(root).expanduser()
    train, test = (_read(folder, part, size, value_range) for part in ("train", "test"))
    if _kind(train.images) != _kind(test.images):
        raise InputError(
            f"{folder}: train_images.npy holds {_shape(train.images)}, test_images.npy "
            f"{_shape(test.images)}; both need the same channels and size"
        )
    last, last_test = int(train.labels.max()), int(test.labels.max())
    if UNLABELLED < last < last_test:
        raise InputError(
            f"{folder}: test_labels.npy has class {last_test}, which no training image has"
        )
    return DataSet(
        folder.resolve().name,
        train,
        test,
        classes=tuple(str(i) for i in range(max(last, last_test) + 1)),
        value_range=values.declared(value_range, train.images.dtype),
        channel_names=tuple(channel_names or ()),
    )


def _read(
    folder: Path, part: str, size: int | None, value_range: Sequence[float] | None
) -> ImageSet:
    path = folder / f"{part}_images.npy"
    images = values.as_tensor(_load(path), str(path))
    if images.ndim != 4 or not images.numel() or images.shape[2] != images.shape[3]:
        raise InputError(f"{path}: expected n c h w, h = w, got {_shape(images)}")
    for i, image in enumerate(images):
        values.check(image, value_range, f"{path}: image {i}")
    labels = torch.full((len(images),), UNLABELLED)
    path = folder / f"{part}_labels.npy"
    if path.is_file():
        labels = torch.from_numpy(_load(path))
        whole = not labels.is_floating_point() and labels.dtype != torch.bool
        if not whole or labels.shape != images.shape[:1] or labels.long().min() < UNLABELLED:
            raise InputError(
                f"{path}: expected {len(images)} integers, -1 for none, got {_shape(labels)}"
            )
    return ImageSet(values.fit(images, size), labels.long())


def _load(path: Path) -> np.ndarray:
    try:
        found = values.read_array(path)
        if found.dtype.kind not in "buif":
            raise TypeError(f"it holds {found.dtype}")
        return found
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; n c h w is expected there") from None
    except Exception as error:  # a damaged header is parsed as Python, and raises anything
        raise InputError(f"{path}: is not an array of numbers ({error})") from None


def _kind(images: Tensor) -> tuple[torch.dtype, torch.Size]:
    return images.dtype, images.shape[1:]


def _shape(x: Tensor) -> str:
    return " x ".join(map(str, x.shape)) + f", {str(x.dtype).removeprefix('torch.')}"
