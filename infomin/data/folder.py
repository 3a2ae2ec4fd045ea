"""Any folder of images: `root/{train,val}/<class>/*.jpg`, or `root/<class>/*.jpg`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Int64
from torch import Tensor

from infomin.core.errors import InputError, one_of, whole_number
from infomin.core.names import printable
from infomin.data import values
from infomin.data.cache import cached
from infomin.data.decode import Decoder, UnreadableFile
from infomin.data.file_source import FileSource
from infomin.data.image_store import ImageStore
from infomin.data.images import KEEP, DataSet, ImageSet
from infomin.data.labels import encode, folder_labels
from infomin.data.names import listed
from infomin.data.reading import Counter, Progress, in_threads, root_folder, source
from infomin.data.source import Source
from infomin.data.split import hold_out
from infomin.data.walk import LeftOut, Listing, list_images


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
    labels: str = "folders",
    class_level: int | None = None,
    fill: float | None = None,
    keep: str = "auto",
    workers: int | None = None,
    progress: Progress = None,
) -> DataSet:
    """Read a folder of images, resized and cropped to squares.

    Images are pictures, TIFF and `.npy` (one image per file; uint8, uint16, or other numbers, held
    as float32) of 2 to 16 channels, all of one kind. `infomin.data.decode` has the rules.

    With `train/` and `val/` (or `test/`) inside, those are the two sets; `Training`, `dev` and the
    like will do. Otherwise a seeded share of the images is held out for test. A class is a folder
    directly below the set; images outside of them are unlabelled. `DataSet.notes` says what became
    of all files and folders.

    Arguments:
        root: the folder.
        size: side in pixels: shorter side resized (antialiased), centre cropped; None keeps images,
            which then must be squares of one size.
        convert: turn grey images into three equal channels, drop alpha, make CMYK RGB, and take the
            first picture of a file. Otherwise alpha is a channel, and the others are refused.
        skip_bad: leave unreadable files and folders out and count them; refused otherwise.
        test_share: share held out where there is no test folder.
        seed: of that choice.
        cache: folder for the decoded images; None is the user's cache folder.
        value_range: lowest and highest value, such as [0, 4095] of 12 bits; None is [0, 65535] of
            uint16, [0, 1] of float, and proposes a range where values lie outside. 8-bit images
            always have [0, 1].
        channel_names: None is R, G, B of three channels, channel_0, ... of others.
        layout: axes of `.npy` files and of the pages of TIFF, `chw` or `hwc`; None takes the first
            or the last axis for the channels, the only one of both with at most 16.
        labels: `folders`, or `none` for no labels.
        class_level: 1 takes the folder directly below the set as the class, 2 the next below, ...,
            -1 the one that holds the image. None is 1, after folders that hold nothing but one
            folder.
        fill: replaces values that files declare as no data, NaN and infinity; refused otherwise.
        keep: where images wait for their batch: `device`, the memory of the device that trains;
            `mapped`, the file of the cache, or the memory of the host; `files`, where they are
            decoded anew in every epoch; `auto` is `device` if they take at most half of its free
            memory, `mapped` otherwise.
        workers: processes that decode with `keep="files"`; None is one per core, 0 is this one.
        progress: takes the number of files that are decoded, and of all.

    Raises:
        InputError: for a missing or empty folder, a class that only test images have, or a file or
            folder that cannot be used, by name.
    """
    one_of("data.keep", keep, (*KEEP, "files"))
    if workers is not None:
        whole_number("data.workers", workers, 0)
    decoder = Decoder(size, convert, value_range, layout, fill=fill)
    folder = root_folder(root, "that holds the images")
    listing = list_images(folder, skip_bad)
    names, remarks = folder_labels(listing, labels, class_level)
    names_of = [_name_in(paths) for paths in listing.paths]
    encode(names, names_of)  # refuses before decoding
    name = folder.resolve().name

    def decode(path: Path) -> Tensor | None:
        try:
            return decoder(path)
        except UnreadableFile as error:
            if skip_bad:
                return None
            raise InputError(f"{error}; data.skip_bad=true leaves it out") from None

    def build(store: ImageStore) -> DataSet:
        add = Counter(progress, len(listing.all_paths)).add
        parts = [
            read_images(paths, str(part), decode, add, store)
            for paths, part in zip(listing.paths, listing.folders, strict=True)
        ]
        kept = [*zip(listing.paths, names, parts, strict=True)]
        read = [[paths[i] for i in index] for paths, _, index in kept]
        words = [[labels[i] for i in index] for _, labels, index in kept]
        classes, indices = encode(words, [_name_in(paths) for paths in read])
        train, test = _two_sets(store.source, indices, test_share, seed)
        bad = LeftOut(folder)
        bad.add("unreadable file{s}", *sorted({*listing.all_paths}.difference(*read)))
        return DataSet(
            name,
            train=train,
            test=test,
            classes=classes,
            skipped=len(listing.all_paths) - sum(map(len, read)),
            channel_names=tuple(channel_names or ()),
            notes=(str(bad),),
            **decoder.facts(store.source.dtype),
        )

    if keep == "files":
        classes, indices = encode(names, names_of)
        images = _files(listing.all_paths, decoder, torch.cat(indices), skip_bad, workers)
        train, test = _two_sets(images, indices, test_share, seed)
        data = DataSet(
            name,
            train=train,
            test=test,
            classes=classes,
            channel_names=tuple(channel_names or ()),
            value_range=values.resolve_range(value_range, images.dtype),
        )
    else:
        data = cached(
            cache,
            build,
            len(listing.all_paths),
            name=name,
            root=str(folder.resolve()),
            files=listing.stamps,
            folders=[str(part) for part in listing.folders],
            options=[
                *(size, convert, skip_bad, test_share, seed),
                *(value_range, channel_names, layout, fill),
            ],
            labels=[labels, class_level],
        )
    left_out = listing.left_out.notes(*data.notes)
    return replace(data, keep=keep, notes=(describe(listing, data, remarks), *left_out))


def _two_sets(
    images: Source, labels: Sequence[Tensor], test_share: float, seed: int
) -> tuple[ImageSet, ImageSet]:
    """Return training and test images, given the labels of both, or of all."""
    if len(labels) == 1:
        chosen = hold_out(len(images), test_share, seed, labels[0])
        train, test = (ImageSet(images, labels[0]).subset(index) for index in chosen)
    else:
        parts = torch.arange(len(images)).split([*map(len, labels)])
        train, test = (
            ImageSet(images.subset(rows), y) for rows, y in zip(parts, labels, strict=True)
        )
    return train, test


def _files(
    paths: Sequence[Path],
    decoder: Decoder,
    labels: Int64[Tensor, " n"],
    skip_bad: bool,
    workers: int | None,
) -> FileSource:
    """Return files as a source; only the first image is decoded."""
    for path in paths:
        try:
            example = decoder(path)
        except UnreadableFile as error:
            if skip_bad:
                continue
            raise InputError(
                f"{error}; data.skip_bad=true replaces it by another image of its class"
            ) from None
        values.check_square(example, str(path))
        if example.dtype != torch.uint8:  # all images are checked against one range, when they come
            decoder = replace(
                decoder, value_range=values.resolve_range(decoder.value_range, example.dtype)
            )
        return FileSource(paths, decoder, example, labels, skip_bad, workers)
    raise InputError(f"data.root: none of the {len(paths)} images can be read")


def read_images(
    paths: Sequence[Path],
    place: str,
    decode: Callable[[Path], Tensor | None],
    add: Callable[[], None],
    store: ImageStore,
) -> list[int]:
    """Read images of one kind into a store; return their places in `paths`.

    Arguments:
        paths: the files, in order.
        place: names where they are, in messages.
        decode: returns the image of a file; None leaves it out.
        add: counts a decoded file.
        store: takes the images.

    Raises:
        InputError: for a file that cannot be used, by name.
    """
    kept: list[int] = []
    with in_threads(decode, paths, add) as decoded:
        for i, image in enumerate(decoded):
            if image is None:
                continue
            values.check_square(image, str(paths[i]))
            store.add(image, str(paths[i]))
            kept.append(i)
    if not kept:
        raise InputError(f"data.root: none of the {len(paths)} images in {place} can be read")
    return kept


def describe(listing: Listing, data: DataSet, remarks: Sequence[str]) -> str:
    """Return one line about both sets and their classes, for people."""
    sets = listing.describe(len(data.train), len(data.test))
    count = len(data.classes)
    classes = (
        f"{count} class{'es' * (count != 1)}: {listed(data.classes)}" if count else "no labels"
    )
    return printable("; ".join((f"data {data.name}: {sets}", classes, *remarks)))


def _name_in(paths: Sequence[Path]) -> Callable[[int], str]:
    return lambda i: str(paths[i])
