"""Images of any number of channels, as NumPy files: `train_images.npy`, `test_images.npy`, ..."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from infomin.data.images import UNLABELLED, DataSet, ImageSet, fit
from infomin.errors import InputError


def arrays(root: str | None = None, size: int | None = None) -> DataSet:
    """Read `{train,test}_images.npy`, and `{train,test}_labels.npy` where there are labels.

    Images are `n c h w`, uint8, squares, of any number of channels; scale other ranges to 0..255.
    Labels are `n` integers, -1 for none; classes are called by their numbers.

    Arguments:
        root: the folder that holds the files.
        size: side in pixels that images are resized to (antialiased); None keeps them.

    Raises:
        InputError: for a file that is missing, damaged or of another shape or type.
    """
    if root is None:
        raise InputError("data.root: expected the folder of train_images.npy, got none")
    folder = Path(root).expanduser()
    train, test = (_read(folder, part, size) for part in ("train", "test"))
    if train.images.shape[1:] != test.images.shape[1:]:
        raise InputError(
            f"{folder}: train_images.npy holds {_shape(train.images)}, test_images.npy "
            f"{_shape(test.images)}; both need the same channels and size"
        )
    last, last_test = int(train.labels.max()), int(test.labels.max())
    if UNLABELLED < last < last_test:
        raise InputError(
            f"{folder}: test_labels.npy has class {last_test}, which no training image has"
        )
    names = tuple(str(i) for i in range(max(last, last_test) + 1))
    return DataSet(folder.resolve().name, train, test, names)


def _read(folder: Path, part: str, size: int | None) -> ImageSet:
    path = folder / f"{part}_images.npy"
    images = _load(path)
    square = images.ndim == 4 and images.numel() > 0 and images.shape[2] == images.shape[3]
    if images.dtype != torch.uint8 or not square:
        raise InputError(
            f"{path}: expected n c h w, uint8, h = w, got {_shape(images)}, {images.dtype}"
        )
    labels = torch.full((len(images),), UNLABELLED)
    path = folder / f"{part}_labels.npy"
    if path.is_file():
        labels = _load(path)
        whole = not labels.is_floating_point() and labels.dtype != torch.bool
        if not whole or labels.shape != images.shape[:1] or labels.min() < UNLABELLED:
            raise InputError(
                f"{path}: expected {len(images)} integers, -1 for none, got {_shape(labels)}, "
                f"{labels.dtype}"
            )
    return ImageSet(fit(images, size), labels.long())


def _load(path: Path) -> Tensor:
    try:
        return torch.from_numpy(np.load(path, allow_pickle=False))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; n c h w, uint8, is expected there") from None
    except (ValueError, OSError, TypeError, EOFError) as error:
        raise InputError(f"{path}: is not an array of numbers ({error})") from None


def _shape(x: Tensor) -> str:
    return " x ".join(map(str, x.shape))
