"""Images in NumPy files: `train_images.npy`, `test_images.npy`, ..."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import Tensor

from infomin.core.errors import InputError
from infomin.data import values
from infomin.data.decode import Decoder
from infomin.data.images import UNLABELLED, DataSet, ImageSet
from infomin.data.items import check_keep
from infomin.data.names import TEST, TRAIN, first_of, normal_form
from infomin.data.parts import Part, read_on_demand, read_parts
from infomin.data.reading import Progress, root_folder, source
from infomin.data.source import TensorSource
from infomin.data.stored_array import StoredArray
from infomin.data.walk import LeftOut


@source
def arrays(
    root: str | None = None,
    size: int | None = None,
    value_range: Sequence[float] | None = None,
    channel_names: Sequence[str] | None = None,
    fill: float | None = None,
    keep: str = "auto",
    workers: int | None = None,
    progress: Progress = None,
) -> DataSet:
    """Read `{train,test}_images.npy`, and `{train,test}_labels.npy` where they exist.

    Other words for the two sets will do, such as `Training_images.npy` and `val_images.npy`.

    Images are squares `n c h w`, uint8, uint16 or other numbers (held as float32), of 2 to 1024
    channels. A file of images is mapped, not copied, unless they are resized or change their type.
    Labels are `n` integers, -1 for none. Classes are the distinct labels of training, in
    order; the name of a class is its label.

    Arguments:
        root: the folder of the files.
        size: side in pixels that images are resized to (antialiased); None keeps them.
        value_range: lowest and highest value; None is [0, 65535] of uint16, [0, 1] of others.
        channel_names: None is R, G, B of three channels, channel_0, ... of others.
        fill: replaces NaN and infinity; refused otherwise.
        keep, workers: see `image_folder`; `files` reads the images of every batch from their file.
        progress: takes the number of images that are done, and of all.

    Raises:
        InputError: for a file that is missing, damaged, of another shape or type, or an image with
            values outside the range.
    """
    check_keep(keep, workers)
    folder = root_folder(root, "of train_images.npy")
    name, present = folder.resolve().name, _entries(folder)
    files = _files(folder, present)
    decoder = Decoder(size, value_range=value_range, fill=fill)
    unused = LeftOut(folder)
    unused.add("other file{s}", *sorted({*present}.difference(*files)))
    if keep == "files":
        stored = [StoredArray(_present(images)) for images, _ in files]
        parts = [
            Part(str(array), (array, _labels(labels, len(array))), None, fill, "chw")
            for array, (_, labels) in zip(stored, files, strict=True)
        ]
        data = read_on_demand(parts, decoder, name, workers, channel_names)
        return replace(data, notes=unused.notes())
    parts = [Part(str(images), _read(images, labels, fill), None) for images, labels in files]
    data = read_parts(parts, decoder, name, channel_names, progress)
    train, test = (_mapped(s, part) for s, part in zip((data.train, data.test), parts, strict=True))
    return replace(data, train=train, test=test, keep=keep, notes=unused.notes())


def _mapped(images: ImageSet, part: Part) -> ImageSet:
    """Mark images that are still those of the mapped file, so that reading looks ahead."""
    same = images.images.data_ptr() == part.data.data_ptr()
    return replace(images, source=TensorSource(images.images, mapped=True)) if same else images


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


def _read(path: Path, labels: Path, fill: float | None) -> tuple[Tensor, list[int] | None]:
    """Return images of training or test, mapped, and their labels where there are some."""
    images = values.as_tensor(_load(_present(path)), str(path), fill)
    if images.ndim != 4 or images.shape[2] != images.shape[3]:
        raise InputError(f"{path}: expected n c h w, h = w, got {_describe(images)}")
    return images, _labels(labels, len(images))


def _labels(path: Path, n: int) -> list[int] | None:
    """Return the labels of `n` images, or None without a file."""
    if not path.is_file():
        return None
    labels = _load(path)
    if labels.dtype.kind not in "iu" or labels.shape != (n,) or labels.min() < UNLABELLED:
        raise InputError(f"{path}: expected {n} integers, -1 for none, got {_describe(labels)}")
    return labels.tolist()


def _present(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{path}: no such file; save images there as n c h w")
    return path


def _load(path: Path) -> np.ndarray:
    try:
        array = np.lib.format.open_memmap(path, mode="c")  # a write would stay in memory
        if array.dtype.kind not in "buif":
            raise TypeError(f"it holds {array.dtype}")
        return array
    except Exception as error:  # a damaged header is parsed as Python, and raises anything
        raise InputError(f"{path}: is not an array of numbers ({error})") from None


def _describe(x: Tensor | np.ndarray) -> str:
    return f"{values.by(x.shape)}, {str(x.dtype).removeprefix('torch.')}"
