"""Images of 2 to 16 channels in NumPy files: `train_images.npy`, `test_images.npy`, ..."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from infomin.core.errors import InputError
from infomin.data import values
from infomin.data.images import UNLABELLED, DataSet, ImageSet
from infomin.data.reading import Counter, Progress
from infomin.data.registry import source


@source
def arrays(
    root: str | None = None,
    size: int | None = None,
    value_range: Sequence[float] | None = None,
    channel_names: Sequence[str] | None = None,
    progress: Progress = None,
) -> DataSet:
    """Read `{train,test}_images.npy`, and `{train,test}_labels.npy` where they exist.

    Images are squares `n c h w`, uint8, uint16 or float (held as float32), of 2 to 16 channels.
    Labels are `n` integers, -1 for none. The name of a class is its number.

    Arguments:
        root: the folder of the files.
        size: side in pixels that images are resized to (antialiased); None keeps them.
        value_range: lowest and highest value; None is [0, 65535] of uint16, [0, 1] of others.
        channel_names: None is R, G, B of three channels, channel_0, ... of others.
        progress: takes the number of images that are done, and of all.

    Raises:
        InputError: for a file that is missing, damaged, of another shape or type, or an image with
            values outside the range.
    """
    if root is None:
        raise InputError("data.root: expected the folder of train_images.npy, got none")
    folder = Path(root).expanduser()
    parts = [_read(folder, part, value_range) for part in ("train", "test")]
    train, test = (images for images, _ in parts)
    values.check_alike(test, f"{folder}/test_images.npy", train, "train_images.npy")
    counter = Counter(progress, len(train) + len(test))
    last, last_test = (int(labels.max()) for _, labels in parts)
    if UNLABELLED < last < last_test:
        raise InputError(
            f"{folder}/test_labels.npy: has class {last_test}, which no training image has"
        )
    sets = [
        ImageSet(values.resize_to_square(images, size, counter.add), labels)
        for images, labels in parts
    ]
    return DataSet(
        folder.resolve().name,
        train=sets[0],
        test=sets[1],
        classes=tuple(str(i) for i in range(max(last, last_test) + 1)),
        value_range=values.resolve_range(value_range, train.dtype),
        channel_names=tuple(channel_names or ()),
    )


def _read(
    folder: Path, part: str, value_range: Sequence[float] | None
) -> tuple[Tensor, Int64[Tensor, " n"]]:
    """Return images and labels of training or test."""
    path = folder / f"{part}_images.npy"
    images = values.as_tensor(_load(path), str(path))
    if images.ndim != 4 or images.shape[2] != images.shape[3]:
        raise InputError(f"{path}: expected n c h w, h = w, got {_describe(images)}")
    for i, image in enumerate(images):
        values.check_values(image, value_range, f"{path}: image {i}")
    path = folder / f"{part}_labels.npy"
    if not path.is_file():
        return images, torch.full((len(images),), UNLABELLED)
    labels = _load(path)
    if labels.dtype.kind not in "iu" or labels.shape != (len(images),) or labels.min() < UNLABELLED:
        raise InputError(
            f"{path}: expected {len(images)} integers, -1 for none, got {_describe(labels)}"
        )
    return images, torch.from_numpy(labels.astype(np.int64))


def _load(path: Path) -> np.ndarray:
    try:
        array = values.read_array(path)
        if array.dtype.kind not in "buif":
            raise TypeError(f"it holds {array.dtype}")
        return array
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; save images there as n c h w") from None
    except Exception as error:  # a damaged header is parsed as Python, and raises anything
        raise InputError(f"{path}: is not an array of numbers ({error})") from None


def _describe(x: Tensor | np.ndarray) -> str:
    return f"{values.by(x.shape)}, {str(x.dtype).removeprefix('torch.')}"
