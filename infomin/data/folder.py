"""Any folder of images: `root/{train,val}/<class>/*.jpg`, or `root/<class>/*.jpg`."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from infomin.core.errors import InputError
from infomin.data import values
from infomin.data.cache import cached, stamps
from infomin.data.decode import SUFFIXES, Decoder, UnreadableFile
from infomin.data.images import UNLABELLED, DataSet, ImageSet
from infomin.data.reading import Counter, Progress, in_threads, root_folder, source
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
    fill: float | None = None,
    progress: Progress = None,
) -> DataSet:
    """Read a folder of images into memory, resized and cropped to squares.

    Images are pictures, TIFF and `.npy` (one image per file; uint8, uint16, or other numbers, held
    as float32) of 2 to 16 channels, all of one kind. `infomin.data.decode` has the rules.

    With `train/` and `val/` (or `test/`) inside, those are the two sets. Otherwise a seeded share
    of the images is held out for test. Subfolders are classes; images outside them are unlabelled.

    Arguments:
        root: the folder.
        size: side in pixels: shorter side resized (antialiased), centre cropped; None keeps images,
            which then must be squares of one size.
        convert: turn grey images into three equal channels, drop alpha, make CMYK RGB, and take the
            first picture of a file. Otherwise alpha is a channel, and the others are refused.
        skip_bad: leave unreadable files out and count them; refused otherwise.
        test_share: share held out where there is no test folder.
        seed: of that choice.
        cache: folder for the decoded images; None is the user's cache folder.
        value_range: lowest and highest value, such as [0, 4095] of 12 bits; None is [0, 65535] of
            uint16, [0, 1] of float, and proposes a range where values lie outside. 8-bit images
            always have [0, 1].
        channel_names: None is R, G, B of three channels, channel_0, ... of others.
        layout: axes of `.npy` files and of the pages of TIFF, `chw` or `hwc`; None takes the first
            or the last axis for the channels, the only one of both with at most 16.
        fill: replaces values that files declare as no data, NaN and infinity; refused otherwise.
        progress: takes the number of files that are decoded, and of all.

    Raises:
        InputError: for a missing or empty folder, or a file that cannot be used, by name.
    """
    decoder = Decoder(size, convert, value_range, layout, fill=fill)
    folder = root_folder(root, "that holds the images")
    folders = split_folders(folder)
    paths = [images_below(part) for part in folders]
    name = folder.resolve().name

    def decode(path: Path) -> Tensor | None:
        try:
            return decoder(path)
        except UnreadableFile as error:
            if skip_bad:
                return None
            raise InputError(f"{error}; data.skip_bad=true leaves it out") from None

    def build() -> DataSet:
        classes = sorted({p.parent.name for p in paths[0] if p.parent != folders[0]})
        add = Counter(progress, sum(map(len, paths))).add
        sets = [
            read_images(files, part, classes, decode, add)
            for files, part in zip(paths, folders, strict=True)
        ]
        images = sets[0].images
        skipped = sum(map(len, paths)) - sum(map(len, sets))
        if len(sets) == 1:
            sets = [sets[0].subset(i) for i in hold_out(len(sets[0]), test_share, seed)]
        else:
            values.check_alike(sets[1].images, str(folders[1]), images, str(folders[0]))
        return DataSet(
            name,
            train=sets[0],
            test=sets[1],
            classes=tuple(classes),
            skipped=skipped,
            channel_names=tuple(channel_names or ()),
            **decoder.facts(images.dtype),
        )

    return cached(
        cache,
        build,
        name=name,
        root=str(folder.resolve()),
        files=stamps([path for part in paths for path in part]),
        options=[
            size,
            convert,
            skip_bad,
            test_share,
            seed,
            value_range,
            channel_names,
            layout,
            fill,
        ],
    )


def split_folders(folder: Path) -> list[Path]:
    """Return the folders of training and of test images, or the folder alone without both."""
    train = folder / "train"
    tests = [folder / name for name in _TEST_FOLDERS if (folder / name).is_dir()]
    return [train, tests[0]] if train.is_dir() and tests else [folder]


def images_below(folder: Path) -> list[Path]:
    """Return the paths of all images in a folder and below it, sorted; refuse none."""
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
    decode: Callable[[Path], Tensor | None],
    add: Callable[[], None],
) -> ImageSet:
    """Read images of one kind.

    Arguments:
        paths: the files, in order.
        root: the folder of the images without a class.
        classes: names of its subfolders.
        decode: returns the image of a file; None leaves it out.
        add: counts a decoded file.

    Raises:
        InputError: for a file that cannot be used, by name.
    """
    index = {"": UNLABELLED, **{name: i for i, name in enumerate(classes)}}
    images: dict[Path, Tensor] = {}
    labels: list[int] = []
    with in_threads(decode, paths, add) as decoded:
        for path, image in zip(paths, decoded, strict=True):
            if image is None:
                continue
            values.check_square(image, str(path))
            images[path] = image
            first = next(iter(images))
            values.check_alike(image, str(path), images[first], str(first))
            name = "" if path.parent == root else path.parent.name
            if name not in index:
                raise InputError(
                    f"{path}: class {name!r} has no training images; expected {classes}"
                )
            labels.append(index[name])
    if not images:
        raise InputError(f"data.root: none of the {len(paths)} images in {root} can be read")
    return ImageSet(torch.stack([*images.values()]), torch.tensor(labels))
