"""Data sets of PyTorch and arrays, read into a `DataSet`: the entrance of the Python API."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from infomin.core.errors import InputError, renamed_option
from infomin.data.decode import Decoder
from infomin.data.images import DataSet
from infomin.data.items import check_keep
from infomin.data.parts import Part, read_on_demand, read_parts
from infomin.data.reading import Progress


def from_torch(
    train: Any,
    test: Any = None,
    *,
    name: str = "dataset",
    classes: Sequence[str] | None = None,
    value_range: Sequence[float] | None = None,
    channel_names: Sequence[str] | None = None,
    size: int | None = None,
    convert: bool = False,
    fill: float | None = None,
    test_share: float = 0.2,
    seed: int = 0,
    keep: str = "auto",
    workers: int | None = None,
    progress: Progress = None,
) -> DataSet:
    """Read a data set of PyTorch, or arrays, into memory, or image by image when they are wanted.

    `train` and `test` are each one of:

    * a map-style data set, such as those of torchvision, or a list. Its items are images, or
      `(image, label, ...)`. An image is a PIL image (RGB, or grey), a tensor `c h w` or an array
      `h w c`, or `h w` of one channel;
    * images `n c h w`, `n h w c` or `n h w` as one array or tensor;
    * a pair `(images, labels)` of either and its labels.

    Pixels are uint8, uint16 or float (held as float32), 1 to 1024 channels. The axis of channels is
    the first or the last, whichever has at most 16 entries and leaves a square. If that is
    ambiguous, it is the first of a tensor and the last of an array.

    Labels are integers or words. -1, None and masked labels are no label. Integers index `classes`,
    or the `classes` of a torchvision data set. Classes are the distinct labels of the training
    images, in the order of these names, or sorted without names.

    Without `test`, a random share of `train` is held out: disjoint from the rest, in equal
    proportions of every class, and the same for the same seed. One image of every class stays in
    training.

    Arguments:
        train: training images. A `DataSet` is returned as it is.
        test: test images; None holds a share of the training images out.
        name: of the data set, in cards and records.
        classes: class names that integer labels index.
        value_range: lowest and highest value, such as (0, 4095) of 12 bits; None is (0, 65535) of
            uint16, (0, 1) of float. 8-bit images always have (0, 1).
        channel_names: None is R, G, B of three channels, channel_0, ... of others.
        size: side in pixels: shorter side resized (antialiased), centre cropped; None keeps images,
            which then must be squares of one size.
        convert, fill: see `image_folder`; `fill` replaces masked values, too.
        test_share: share held out without `test`.
        seed: of that choice.
        keep: `files` takes the items of every batch from the data set, in worker processes, and
            holds none in memory; others hold all, see `image_folder`. Labels come from its
            `targets` where it has some; otherwise every item is taken once for its label.
        workers: see `image_folder`.
        progress: takes the number of images that are read, and of all.

    Raises:
        InputError: for anything else, and for images of different kinds or sizes or with values out
            of range, by their index. The first images are checked before the others are read.
    """
    if isinstance(train, DataSet):
        if test is not None:
            raise InputError("test: expected none beside a DataSet, which has its own test images")
        return train
    with renamed_option("data.", ""):
        check_keep(keep, workers)
        decoder = Decoder(size, convert, value_range, grey=True, fill=fill)
        parts = [Part("train", train, classes, fill)]
        if test is not None:
            parts.append(Part("test", test, classes, fill))
        if keep == "files":
            return read_on_demand(
                parts, decoder, name, workers, channel_names, progress, test_share, seed
            )
        data = read_parts(parts, decoder, name, channel_names, progress, test_share, seed)
    return replace(data, keep=keep, advice=tuple(line.replace("data.", "") for line in data.advice))
