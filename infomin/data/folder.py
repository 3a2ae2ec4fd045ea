"""Any folder of images: `root/{train,val}/<class>/*.jpg`, or `root/<class>/*.jpg`."""

from collections.abc import Sequence
from dataclasses import replace

from infomin.data.decode import Decoder
from infomin.data.images import DataSet
from infomin.data.items import Items, check_keep, describe, read_items
from infomin.data.labels import folder_labels
from infomin.data.reading import Progress, root_folder, source
from infomin.data.walk import list_images


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
    as float32) of 2 to 1024 channels, all of one kind. `infomin.data.decode` has the rules.

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
    check_keep(keep, workers)
    decoder = Decoder(size, convert, value_range, layout, fill=fill)
    folder = root_folder(root, "that holds the images")
    listing = list_images(folder, skip_bad, stamped=keep != "files")
    names, remarks = folder_labels(listing, labels, class_level)
    sets = [
        Items(paths, words, str(part))
        for paths, words, part in zip(listing.paths, names, listing.folders, strict=True)
    ]
    data = read_items(
        folder.resolve().name,
        folder,
        sets,
        decoder,
        key={
            "files": listing.stamps,
            "folders": [str(part) for part in listing.folders],
            "labels": [labels, class_level],
        },
        keep=keep,
        workers=workers,
        cache=cache,
        skip_bad=skip_bad,
        test_share=test_share,
        seed=seed,
        channel_names=channel_names,
        progress=progress,
    )
    line = describe(data, listing.describe(len(data.train), len(data.test)), remarks)
    return replace(data, notes=(line, *listing.left_out.notes(*data.notes)))
