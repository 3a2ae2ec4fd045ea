"""Any folder of images: `root/{train,val}/<class>/*.jpg`, or `root/<class>/*.jpg`."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from jaxtyping import Int64
from torch import Tensor

from infomin.core import rng
from infomin.core.errors import InputError
from infomin.data import values
from infomin.data.cache import cached, stamps
from infomin.data.decode import SUFFIXES, Decoder
from infomin.data.images import UNLABELLED, DataSet, ImageSet

_TEST_FOLDERS = ("val", "test", "valid", "validation")


def image_folder(
    root: str | None = None,
    size: int | None = 32,
    convert: bool = False,
    skip_bad: bool = False,
    test_share: float = 0.2,
    seed: int = 0,
    cache: str | None = None,
    value_range: Sequence[float] | None = None,
    channel_names: Sequence[str] | None = None,
    layout: str | None = None,
) -> DataSet:
    """Read a folder of images into memory, resized and cropped to squares.

    Images are 8-bit pictures, 16-bit PNG, TIFF and `.npy` (one image a file; uint8, uint16 or
    float, held as float32) of 2 to 16 channels, all of one kind.

    With `train/` and `val/` (or `test/`) inside, those are the two sets; otherwise a seeded share
    of the images is held out for test. Folders below are classes; images in none are unlabelled.

    Arguments:
        root: the folder.
        size: side in pixels: shorter side resized (antialiased), centre cropped; None keeps the
            images as they are, which then must be of one size.
        convert: turn grey images into three equal channels and drop alpha; refused otherwise.
        skip_bad: leave unreadable files out and count them; refused otherwise.
        test_share: share held out where there is no test folder.
        seed: of that choice.
        cache: folder for the decoded images; None is the user's cache folder.
        value_range: lowest and highest value, such as [0, 4095] of 12 bits; None is [0, 65535] of
            uint16, [0, 1] of float and, always, of 8-bit images.
        channel_names: None is R, G, B of three channels, channel_0, ... of others.
        layout: of `.npy` files, `chw` or `hwc`; None takes the one axis, in front or behind, of at
            most 16 for the channels.

    Raises:
        InputError: for a missing or empty folder, or a file that cannot be used, by name.
    """
    decoder = Decoder(size, convert, value_range, layout)
    folder = image_root(root)
    train, test = split_folders(folder)
    paths = [images_below(train)] + ([images_below(test)] if test else [])
    key = {
        "name": folder.resolve().name,
        "root": str(folder.resolve()),
        "files": [stamp for part in paths for stamp in stamps(part)],
        "options": [size, convert, skip_bad, test_share, seed, value_range, channel_names, layout],
    }

    def build() -> DataSet:
        classes = sorted({p.parent.name for p in paths[0] if p.parent != train})
        first, bad = read_images(paths[0], train, classes, decoder, skip_bad)
        if test:
            second, more = read_images(paths[1], test, classes, decoder, skip_bad)
            bad += more
        else:
            first, second = _hold_out(first, test_share, seed)
        if kind(first.images) != kind(second.images):
            raise InputError(
                f"{folder}: training images are {kind(first.images)}, test images "
                f"{kind(second.images)}; expected one kind"
            )
        if first.images.shape[1:] != second.images.shape[1:]:
            raise InputError(
                f"{folder}: training images are {_shape(first.images)}, test images "
                f"{_shape(second.images)}; set data.size=N"
            )
        found = values.declared(value_range, first.images.dtype)
        names = tuple(channel_names or ())
        return DataSet(str(key["name"]), first, second, tuple(classes), bad, found, names)

    return cached(key, cache, build)


def image_root(root: str | None) -> Path:
    """Return the folder of images that a user named.

    Raises:
        InputError: when it is missing.
    """
    if root is None:
        raise InputError("data.root: expected the folder that holds the images, got none")
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise InputError(f"data.root: {folder} is not a folder; give the folder that holds images")
    return folder


def split_folders(folder: Path) -> tuple[Path, Path | None]:
    """Return the folders of training and of test images; the whole and None without both."""
    train = folder / "train"
    test = next((folder / name for name in _TEST_FOLDERS if (folder / name).is_dir()), None)
    return (train, test) if train.is_dir() and test is not None else (folder, None)


def images_below(folder: Path) -> list[Path]:
    """Return the paths of all images in a folder and below it, sorted.

    Raises:
        InputError: when there are none.
    """
    found = [
        Path(where) / name
        for where, _, names in os.walk(folder, followlinks=True)
        for name in names
        if name.lower().endswith(SUFFIXES)
    ]
    if not found:
        raise InputError(
            f"data.root: no images in {folder}; expected <class>/*{{{','.join(SUFFIXES)}}} below it"
        )
    return sorted(found)


def read_images(
    paths: Sequence[Path],
    root: Path,
    classes: Sequence[str],
    decoder: Decoder,
    skip_bad: bool | None = None,
) -> tuple[ImageSet, int]:
    """Read images of one kind, and count those that cannot be read.

    Arguments:
        paths: of the images, in order.
        root: the folder of those that are in no class.
        classes: names of the folders below it.
        decoder: of each file.
        skip_bad: leave unreadable files out; refused otherwise. None is refused, too, where users
            have no choice.

    Raises:
        InputError: for a file that cannot be used, by name.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        decoded = list(pool.map(decoder, paths))
    images: list[Tensor] = []
    labels: list[int] = []
    used: list[Path] = []
    bad = 0
    for path, result in zip(paths, decoded, strict=True):
        if isinstance(result, Exception):
            if not skip_bad:
                without = "" if skip_bad is None else "; data.skip_bad=true goes on without it"
                raise InputError(f"{path}: cannot be read ({result}){without}")
            bad += 1
            continue
        if result.shape[1] != result.shape[2]:
            raise InputError(f"{path}: is {_shape(result)}, expected a square; set data.size=N")
        if images and kind(result) != kind(images[0]):
            raise InputError(
                f"images of different kinds: {used[0]} is {kind(images[0])}, {path} is "
                f"{kind(result)}; expected one kind"
            )
        if images and result.shape != images[0].shape:
            raise InputError(
                f"images of different sizes: {used[0]} is {_shape(images[0])}, {path} is "
                f"{_shape(result)}; set data.size=N to resize them"
            )
        name = path.parent.name
        if path.parent != root and name not in classes:
            raise InputError(f"{path}: class {name!r} has no training images; expected {classes}")
        images.append(result)
        labels.append(UNLABELLED if path.parent == root else classes.index(name))
        used.append(path)
    if not images:
        raise InputError(f"data.root: not one of the {len(paths)} images in {root} can be read")
    return ImageSet(torch.stack(images), torch.tensor(labels)), bad


def _hold_out(all_images: ImageSet, share: float, seed: int) -> tuple[ImageSet, ImageSet]:
    first, second = hold_out(len(all_images), share, seed)
    return all_images.part(first), all_images.part(second)


def hold_out(n: int, share: float, seed: int) -> tuple[Int64[Tensor, " m"], Int64[Tensor, " k"]]:
    """Choose which of n images are for training, and which for test; both ascending.

    Raises:
        InputError: when one of the two would be empty.
    """
    held = round(n * share)
    if not 0 < held < n:
        raise InputError(f"data.test_share: {share} of {n} images leaves {held} for test")
    order = torch.randperm(n, generator=rng.generator(seed, "hold out"))
    return order[held:].sort().values, order[:held].sort().values


def kind(images: Tensor) -> str:
    """Say what images are: number of channels, and their type."""
    return f"{images.shape[-3]} channels of {str(images.dtype).removeprefix('torch.')}"


def _shape(images: Tensor) -> str:
    return f"{images.shape[-1]}x{images.shape[-2]}"
