"""Images of 2 to 16 channels in NumPy files: `train_images.npy`, `test_images.npy`, ..."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import Tensor

from infomin.core.errors import InputError, one_of
from infomin.data import values
from infomin.data.decode import Decoder
from infomin.data.images import KEEP, UNLABELLED, DataSet
from infomin.data.names import TEST, TRAIN, first_of, normal_form
from infomin.data.reading import Progress, root_folder, source
from infomin.data.torch_datasets import Part, read_parts
from infomin.data.walk import LeftOut


@source
def arrays(
    root: str | None = None,
    size: int | None = None,
    value_range: Sequence[float] | None = None,
    channel_names: Sequence[str] | None = None,
    fill: float | None = None,
    keep: str = "auto",
    progress: Progress = None,
) -> DataSet:
    """Read `{train,test}_images.npy`, and `{train,test}_labels.npy` where they exist.

    Other words for the two sets will do, such as `Training_images.npy` and `val_images.npy`.

    Images are squares `n c h w`, uint8, uint16 or other numbers (held as float32), of 2 to 16
    channels. Labels are `n` integers, -1 for none. Classes are the distinct labels of training, in
    order; the name of a class is its label.

    Arguments:
        root: the folder of the files.
        size: side in pixels that images are resized to (antialiased); None keeps them.
        value_range: lowest and highest value; None is [0, 65535] of uint16, [0, 1] of others.
        channel_names: None is R, G, B of three channels, channel_0, ... of others.
        fill: replaces NaN and infinity; refused otherwise.
        keep: see `image_folder`.
        progress: takes the number of images that are done, and of all.

    Raises:
        InputError: for a file that is missing, damaged, of another shape or type, or an image with
            values outside the range.
    """
    one_of("data.keep", keep, KEEP)
    folder = root_folder(root, "of train_images.npy")
    present = _entries(folder)
    files = _files(folder, present)
    parts = [Part(str(images), _read(images, labels, fill), None) for images, labels in files]
    decoder = Decoder(size, value_range=value_range, fill=fill)
    data = read_parts(parts, decoder, folder.resolve().name, channel_names, progress)
    unused = LeftOut(folder)
    unused.add("other file{s}", *sorted({*present}.difference(*files)))
    return replace(data, keep=keep, notes=unused.notes())


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # the usual names may be readable all the same
        return []


def _files(folder: Path, present: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Return the files of images and labels, of training and of test, whether they exist or not.

    Without `test_images.npy` and the like, names are those of `split_of`, as `Val-Images.npy`.
    """
    paths = {normal_form(path.name).replace("-", "_"): path for path in present}
    end = "_images.npy"
    words = [name.removesuffix(end) for name in paths if name.endswith(end)]
    files = []
    for split in (TRAIN, TEST):
        word = split if split in words else first_of(words, split) or split
        names = (f"{word}{end}", f"{word}_labels.npy")
        images, labels = (paths.get(name, folder / name) for name in names)
        files.append((images, labels))
    return files


def _read(path: Path, labels_path: Path, fill: float | None) -> tuple[Tensor, list[int] | None]:
    """Return images of training or test, and their labels where there are some."""
    images = values.as_tensor(_load(path), str(path), fill)
    if images.ndim != 4 or images.shape[2] != images.shape[3]:
        raise InputError(f"{path}: expected n c h w, h = w, got {_describe(images)}")
    if not labels_path.is_file():
        return images, None
    labels = _load(labels_path)
    if labels.dtype.kind not in "iu" or labels.shape != (len(images),) or labels.min() < UNLABELLED:
        raise InputError(
            f"{labels_path}: expected {len(images)} integers, -1 for none, got {_describe(labels)}"
        )
    return images, labels.tolist()


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
