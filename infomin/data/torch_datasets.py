"""Data sets of PyTorch and arrays, read into a `DataSet`: the entrance of the Python API."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Num
from PIL import Image
from torch import Tensor
from torch.utils.data import ConcatDataset, IterableDataset, Subset

from infomin.core.errors import InputError, renamed_option
from infomin.data import values
from infomin.data.decode import Decoder
from infomin.data.images import UNLABELLED, DataSet, ImageSet
from infomin.data.labels import Label, encode
from infomin.data.reading import Counter, Progress
from infomin.data.split import hold_out_by_class


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
    progress: Progress = None,
) -> DataSet:
    """Read a data set of PyTorch, or arrays, into memory.

    `train` and `test` are each one of:

    * a map-style data set, such as those of torchvision, or a list. Its items are images, or
      `(image, label, ...)`. An image is a PIL image (RGB, or grey), a tensor `c h w` or an array
      `h w c`, or `h w` of one channel;
    * images `n c h w`, `n h w c` or `n h w` as one array or tensor;
    * a pair `(images, labels)` of either and its labels.

    Pixels are uint8, uint16 or float (held as float32), 1 to 16 channels. The axis of channels is
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
        decoder = Decoder(size, convert, value_range, grey=True, fill=fill)
        parts = [Part("train", train, classes, fill)]
        if test is not None:
            parts.append(Part("test", test, classes, fill))
        data = read_parts(parts, decoder, name, channel_names, progress, test_share, seed)
    return replace(data, advice=tuple(line.replace("data.", "") for line in data.advice))


class Part:
    """Training or test images as a user gives them.

    Arguments:
        name: `train` or `test`, for error messages.
        data: a map-style data set, images in one array, or a pair of these and labels.
        classes: names that integer labels index; None takes those of the data set.
        fill: replaces masked values, NaN and infinity; None refuses them.

    Raises:
        InputError: for something else, an empty set, or another number of labels than images.
    """

    def __init__(
        self, name: str, data: Any, classes: Sequence[str] | None, fill: float | None = None
    ) -> None:
        self.name, self.labels = name, None
        if isinstance(data, tuple) and len(data) == 2:
            data, labels = data
            self.labels = None if labels is None else list(labels)
        if isinstance(data, str | dict | IterableDataset) or not (
            hasattr(data, "__len__") and hasattr(data, "__getitem__")
        ):
            raise InputError(
                f"{name}: expected a map-style data set, an array of images or (images, labels), "
                f"got {type(data).__name__}; a list of images will do, too"
            )
        if not len(data):
            raise InputError(f"{name}: expected at least 1 image, got none")
        if self.labels is not None and len(self.labels) != len(data):
            raise InputError(
                f"{name}: expected a label for each of {len(data)} images, got {len(self.labels)}"
            )
        self.data = _channels_first(data, name, 1, fill) if _is_array(data) else data
        self.classes = classes or _classes_of(data, name)

    def __len__(self) -> int:
        return len(self.data)

    def image_name(self, index: int) -> str:
        """Return the name of an image, for messages."""
        return f"{self.name}: image {index}"

    def item(self, index: int, decoder: Decoder) -> tuple[Num[Tensor, "c h w"], Label]:
        """Return an image and its label.

        Raises:
            InputError: for something else than an image and a label, or values out of range.
        """
        name = self.image_name(index)
        image: Any = self.data[index]
        label = None
        if isinstance(image, tuple | list) and image:
            image, label = image[0], image[1] if len(image) > 1 else None
        if self.labels is not None:
            label = self.labels[index]
        if isinstance(image, Image.Image):
            image = decoder.picture(image, name)
        elif not _is_array(image):
            raise InputError(
                f"{name}: expected a PIL image, an array or a tensor, got {type(image).__name__}; "
                "items are images or (image, label, ...)"
            )
        else:
            if not isinstance(self.data, Tensor):
                image = _channels_first(image, name, 0, decoder.fill)
            image = decoder.finish(image, name)
        values.check_square(image, name)
        return image, _label(label, name, self.classes)

    def read(
        self, decoder: Decoder, add: Callable[[int], None]
    ) -> tuple[Num[Tensor, "n c h w"], list[Label]]:
        """Return all images and their labels.

        Raises:
            InputError: for an image that differs from the first, too.
        """
        if isinstance(self.data, Tensor):
            names = [*map(self.image_name, range(len(self)))]
            for image, name in zip(self.data, names, strict=True):
                decoder.check(image, name)
            labels = [None] * len(self) if self.labels is None else self.labels
            return values.resize_to_square(self.data, decoder.size, add), [
                _label(label, name, self.classes) for label, name in zip(labels, names, strict=True)
            ]
        first, _ = self.item(0, decoder)
        images = first.new_empty(len(self), *first.shape)
        labels = []
        for i in range(len(self)):
            image, label = self.item(i, decoder)
            values.check_alike(image, self.image_name(i), first, self.image_name(0))
            images[i] = image
            labels.append(label)
            add(1)
        return images, labels


def read_parts(
    parts: Sequence[Part],
    decoder: Decoder,
    name: str,
    channel_names: Sequence[str] | None = None,
    progress: Progress = None,
    test_share: float = 0.2,
    seed: int = 0,
) -> DataSet:
    """Read training and test images, or hold a share out for test; see `from_torch`."""
    parts[-1].classes = parts[-1].classes or parts[0].classes
    (first, _), (last, _) = (part.item(0, decoder) for part in (parts[0], parts[-1]))
    values.check_alike(last, parts[-1].image_name(0), first, parts[0].image_name(0))
    counter = Counter(progress, sum(map(len, parts)))
    images, labels = zip(*(part.read(decoder, counter.add) for part in parts), strict=True)
    names, indices = encode(labels, [part.image_name for part in parts], parts[0].classes)
    sets = [ImageSet.of(x, y) for x, y in zip(images, indices, strict=True)]
    if len(sets) == 1:
        sets = [sets[0].subset(i) for i in hold_out_by_class(sets[0].labels, test_share, seed)]
    return DataSet(
        name,
        train=sets[0],
        test=sets[1],
        classes=names,
        channel_names=tuple(channel_names or ()),
        **decoder.facts(first.dtype),
    )


def _is_array(data: object) -> bool:
    return isinstance(data, np.ndarray | Tensor)


def _channels_first(
    data: np.ndarray | Tensor, name: str, batch: int, fill: float | None
) -> Num[Tensor, "..."]:
    """Return images of any layout as `c h w` or, with `batch` 1, as `n c h w`."""
    front = isinstance(data, Tensor)
    if isinstance(data, Tensor):
        data = (data.float() if data.is_floating_point() else data).numpy(force=True)
    if data.ndim == batch + 2:
        data, front = data[..., None], False
    if data.ndim != batch + 3:
        layouts = f"{'n ' * batch}c h w or {'n ' * batch}h w c"
        raise InputError(f"{name}: expected {layouts}, got {values.by(data.shape)}")
    one, two, three = data.shape[batch:]
    most = values.CHANNELS[1]
    as_front, as_last = (one <= most, two == three), (three <= most, one == two)
    if as_front != as_last:
        front = as_front > as_last
    return values.as_tensor(data if front else np.moveaxis(data, -1, batch), name, fill)


def _classes_of(data: Any, name: str) -> Sequence[str] | None:
    """Return the class names of a torchvision data set, also inside `Subset` or `ConcatDataset`."""
    if isinstance(data, Subset):
        return _classes_of(data.dataset, name)
    if isinstance(data, ConcatDataset):
        first, *others = (_classes_of(part, name) for part in data.datasets)
        if any(other != first for other in others):
            raise InputError(f"{name}: the parts of ConcatDataset have other classes; give classes")
        return first
    classes = getattr(data, "classes", None)
    return [str(c) for c in classes] if isinstance(classes, list | tuple) else None


def _label(value: Any, name: str, classes: Sequence[str] | None) -> Label:
    """Return the class of an image, or an integer where classes have no names."""
    if value is np.ma.masked:
        return None
    if isinstance(value, Tensor):
        value = value.numpy(force=True)
    if isinstance(value, np.ndarray | np.generic) and value.size == 1:
        value = value.item()
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, int):
        raise InputError(
            f"{name}: label: expected an integer or a word, got {value!r}; give one, or images only"
        )
    if value == UNLABELLED:
        return None
    if classes is None:
        return int(value)
    if not 0 <= value < len(classes):
        raise InputError(
            f"{name}: label: expected 0..{len(classes) - 1}, an index of classes, got {value}"
        )
    return classes[value]
