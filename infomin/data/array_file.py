"""Images in one file of arrays: HDF5 (`*.h5`) or Zarr (`*.zarr`)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from infomin.core.errors import InputError
from infomin.core.files import user_path
from infomin.data.cache import stamps
from infomin.data.decode import Decoder
from infomin.data.images import DataSet
from infomin.data.items import check_keep, describe, read_items
from infomin.data.labels import Label, label_of
from infomin.data.names import Split, listed, normal_form, split_in, train_and_test
from infomin.data.parts import Part, decode_item
from infomin.data.reading import Progress, source
from infomin.data.split import hold_out_by_class
from infomin.data.stored_array import CONTAINERS, StoredArray, arrays_in
from infomin.data.values import FEW, by
from infomin.data.walk import describe_sets

_LABELS = {"label", "labels", "y", "target", "targets", "class", "classes"}
Shapes = Mapping[str, tuple[int, ...]]


@source
def array_file(
    root: str | None = None,
    images: str | None = None,
    labels: str | None = None,
    layout: str | None = None,
    size: int | None = None,
    value_range: Sequence[float] | None = None,
    channel_names: Sequence[str] | None = None,
    fill: float | None = None,
    test_share: float = 0.2,
    seed: int = 0,
    cache: str | None = None,
    keep: str = "auto",
    workers: int | None = None,
    progress: Progress = None,
) -> DataSet:
    """Read the images in a file of HDF5 or Zarr.

    Arrays of four axes are images, `n c h w` or `n h w c`. An array of one axis beside them with a
    usual name, such as `labels` or `y`, holds their labels: integers, -1 for none, or words. Words
    in the names tell the sets: `train/images` and `test/images`, `x_train` and `x_test`. Without
    both sets, a random share is held out.

    Images are squares of one size, uint8, uint16 or other numbers (held as float32).

    Arguments:
        root: the file, or the folder of Zarr.
        images, labels: names of the arrays, whole or their last part; None takes those that look
            so. `labels="none"` leaves labels out.
        layout: axes of the images, `chw` or `hwc`; None takes the only axis of at most 16 as
            channels.
        size: side in pixels that images are resized to (antialiased); None keeps them.
        value_range: lowest and highest value; None is [0, 65535] of uint16, [0, 1] of others.
        channel_names: None is R, G, B of three channels, channel_0, ... of others.
        fill: replaces NaN and infinity; refused otherwise.
        test_share: share held out without sets, in equal proportions of every class.
        seed: of that choice.
        cache, keep, workers: see `image_folder`; `files` reads every batch from the file.
        progress: takes the number of images that are done, and of all.

    Raises:
        InputError: for a file or array that cannot be used, by name.
    """
    check_keep(keep, workers)
    decoder = Decoder(size, value_range=value_range, layout=layout, fill=fill)
    path = _file(root)
    shapes = arrays_in(path)
    chosen = _images(path, shapes, images)
    parts, remarks = [], [f"images from {', '.join(chosen)}"]
    for name in chosen:
        label = _labels(path, shapes, name, labels)
        array = StoredArray(path, name)
        words = None if label is None else _words(StoredArray(path, label))
        parts.append(Part(str(array), (array, words), None, fill, layout or _layout(array)))
        remarks += [f"labels from {label}"] * (label is not None)
    data = read_items(
        path.name.split(".")[0],
        path,
        [part.listed() for part in parts],
        decoder,
        key={"files": stamps(_files(path)), "arrays": [images, labels]},
        decode=decode_item,
        keep=keep,
        workers=workers,
        cache=cache,
        test_share=test_share,
        seed=seed,
        channel_names=channel_names,
        choose=hold_out_by_class,
        progress=progress,
    )
    sets = describe_sets(path, chosen, len(data.train), len(data.test))
    return replace(data, notes=(describe(data, sets, remarks),))


def _file(root: str | None) -> Path:
    if root is None:
        raise InputError("data.root: expected a file of HDF5 (*.h5) or Zarr (*.zarr), got none")
    path = user_path(root)
    if not path.name.lower().endswith(CONTAINERS):
        raise InputError(f"data.root: expected one of *{', *'.join(CONTAINERS)}, got {path}")
    if not path.exists():
        raise InputError(f"data.root: {path}: no such file")
    return path


def _files(path: Path) -> list[Path]:
    """Return the files that hold the arrays."""
    return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]


def _images(path: Path, shapes: Shapes, wanted: str | None) -> list[str]:
    """Return the names of the arrays of training and of test images, or of all.

    Raises:
        InputError: for none, or several of one set.
    """
    sets: dict[Split | None, list[str]] = {}
    for name, shape in shapes.items():
        if len(shape) == 4 and wanted in (None, name, name.rpartition("/")[2]):
            sets.setdefault(split_in(name), []).append(name)
    chosen, _ = train_and_test(sets)
    if any(len(names) != 1 for names in chosen):
        known = [f"{name} {'x'.join(map(str, shape))}" for name, shape in shapes.items()]
        several = listed([name for names in chosen for name in names], 8)
        raise InputError(
            f"data.images: expected one array n c h w of each set in {path}, got "
            f"{several or 'none'}; it holds {listed(known, 8) or 'no arrays'}"
        )
    return [names[0] for names in chosen]


def _labels(path: Path, shapes: Shapes, images: str, wanted: str | None) -> str | None:
    """Return the name of the labels of some images, of the same group and set; None without any.

    Raises:
        InputError: for several, or a wanted one that is missing or of another length.
    """
    if wanted == "none":
        return None
    same = (images.rpartition("/")[0], split_in(images))
    names = [
        name
        for name, shape in shapes.items()
        if shape == shapes[images][:1] and (name.rpartition("/")[0], split_in(name)) == same
    ]
    if wanted is None:
        names = [name for name in names if _LABELS & {*_words_of(name)}]
    else:
        names = [name for name in names if wanted in (name, name.rpartition("/")[2])]
    if len(names) > 1 or (wanted and not names):
        raise InputError(
            f"data.labels: expected one array of {shapes[images][0]} labels beside {images} in "
            f"{path}, got {listed(names, 8) or 'none'}; data.labels=NAME, or none"
        )
    return names[0] if names else None


def _words_of(name: str) -> list[str]:
    return [word for word in re.split(r"[\W\d_]+", normal_form(name)) if word]


def _words(array: StoredArray) -> list[Label]:
    """Return labels."""
    words: list[Label] = []
    for i, value in enumerate(array[:].tolist()):
        try:
            words.append(label_of(value.decode() if isinstance(value, bytes) else value))
        except ValueError as error:
            raise InputError(
                f"{array}: label {i}: expected a whole number or a word, {error}; data.labels=none "
                "leaves labels out"
            ) from None
    return words


def _layout(array: StoredArray) -> str:
    """Return the order of the axes of images, `chw` or `hwc`, by their length.

    Raises:
        InputError: where both would do.
    """
    one, two, three = array.shape[1:]
    front, last = (one <= FEW, two == three), (three <= FEW, one == two)
    if front == last:
        raise InputError(
            f"{array}: has images of {by(array.shape[1:])}, expected squares with one axis of at "
            f"most {FEW} channels; data.layout=chw or hwc names it"
        )
    return "chw" if front > last else "hwc"
