"""Any folder of images: `root/{train,val}/<class>/*.jpg`, or `root/<class>/*.jpg`."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from infomin.core.errors import InputError
from infomin.data import values
from infomin.data.cache import cached, stamps
from infomin.data.decode import SUFFIXES, Decoder
from infomin.data.images import UNLABELLED, DataSet, ImageSet
from infomin.data.reading import Counter, Progress, in_threads
from infomin.data.registry import source
from infomin.data.split import hold_out

_TEST_FOLDERS = ("val", "test", "valid", "validation")


@source
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
    progress: Progress = None,
) -> DataSet:
    """Read a folder of images into memory, resized and cropped to squares.

    Images are 8-bit pictures, 16-bit PNG, TIFF and `.npy` (one image per file; uint8, uint16 or
    float, held as float32) of 2 to 16 channels, all of one kind.

    With `train/` and `val/` (or `test/`) inside, those are the two sets. Otherwise a seeded share
    of the images is held out for test. Subfolders are classes; images outside them are unlabelled.

    Arguments:
        root: the folder.
        size: side in pixels: shorter side resized (antialiased), centre cropped; None keeps images,
            which then must be squares of one size.
        convert: turn grey images into three equal channels and drop alpha; refused otherwise.
        skip_bad: leave unreadable files out and count them; refused otherwise.
        test_share: share held out where there is no test folder.
        seed: of that choice.
        cache: folder for the decoded images; None is the user's cache folder.
        value_range: lowest and highest value, such as [0, 4095] of 12 bits; None is [0, 65535] of
            uint16, [0, 1] of float. 8-bit images always have [0, 1].
        channel_names: None is R, G, B of three channels, channel_0, ... of others.
        layout: axes of `.npy` files, `chw` or `hwc`; None takes the first or the last axis for the
            channels, the only one of both with at most 16.
        progress: takes the number of files that are decoded, and of all.

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
        counter = Counter(progress, sum(map(len, paths)))
        first, bad = read_images(paths[0], train, classes, decoder, counter.add, skip_bad)
        if test:
            second, more = read_images(paths[1], test, classes, decoder, counter.add, skip_bad)
            bad += more
            values.check_alike(second.images, str(test), first.images, str(train))
        else:
            first, second = (first.subset(i) for i in hold_out(len(first), test_share, seed))
        return DataSet(
            str(key["name"]),
            train=first,
            test=second,
            classes=tuple(classes),
            skipped=bad,
            value_range=values.resolve_range(value_range, first.images.dtype),
            channel_names=tuple(channel_names or ()),
        )

    return cached(key, cache, build)


def image_root(root: str | None) -> Path:
    """Return the folder of images.

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
    """Return the folders of training and of test images, or the folder and None without both."""
    train = folder / "train"
    test = next((folder / name for name in _TEST_FOLDERS if (folder / name).is_dir()), None)
    return (train, test) if train.is_dir() and test is not None else (folder, None)


def images_below(folder: Path) -> list[Path]:
    """Return the paths of all images in a folder and below it, sorted.

    Raises:
        InputError: when there are none.
    """
    paths = [
        Path(parent) / name
        for parent, _, names in os.walk(folder, followlinks=True)
        for name in names
        if name.lower().endswith(SUFFIXES)
    ]
    if not paths:
        raise InputError(
            f"data.root: no images in {folder}; expected <class>/*{{{','.join(SUFFIXES)}}} below it"
        )
    return sorted(paths)


def read_images(
    paths: Sequence[Path],
    root: Path,
    classes: Sequence[str],
    decoder: Decoder,
    add: Callable[[], None],
    skip_bad: bool | None = None,
) -> tuple[ImageSet, int]:
    """Read images of one kind, and count those that cannot be read.

    Arguments:
        paths: the files, in order.
        root: the folder of the images without a class.
        classes: names of its subfolders.
        decoder: decodes a file.
        add: counts a decoded file.
        skip_bad: leave unreadable files out; refused otherwise. None refuses them, too, and the
            message does not offer the option.

    Raises:
        InputError: for a file that cannot be used, by name.
    """
    images: list[Tensor] = []
    labels: list[int] = []
    first = ""
    bad = 0
    with in_threads(decoder, paths, add) as decoded:
        for path, image in zip(paths, decoded, strict=True):
            if isinstance(image, Exception):
                if not skip_bad:
                    advice = "" if skip_bad is None else "; data.skip_bad=true leaves it out"
                    raise InputError(f"{path}: cannot be read ({image}){advice}")
                bad += 1
                continue
            values.check_square(image, str(path))
            if images:
                values.check_alike(image, str(path), images[0], first)
            else:
                first = str(path)
            name = path.parent.name
            if path.parent != root and name not in classes:
                raise InputError(
                    f"{path}: class {name!r} has no training images; expected {classes}"
                )
            images.append(image)
            labels.append(UNLABELLED if path.parent == root else classes.index(name))
    if not images:
        raise InputError(f"data.root: none of the {len(paths)} images in {root} can be read")
    return ImageSet(torch.stack(images), torch.tensor(labels)), bad
