"""Training or test images as a user gives them: a data set of PyTorch, or arrays, with labels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Num
from PIL import Image
from torch import Tensor
from torch.utils.data import IterableDataset

from infomin.core.errors import InputError
from infomin.data import values
from infomin.data.decode import Decoder
from infomin.data.images import UNLABELLED, DataSet, ImageSet
from infomin.data.items import Items, read_items
from infomin.data.labels import Label, classes_of, encode, targets_of
from infomin.data.reading import Counter, Progress
from infomin.data.split import hold_out_by_class
from infomin.data.stored_array import StoredArray


class Part:
    """Training or test images as a user gives them.

    Arguments:
        name: `train` or `test`, for error messages.
        data: a map-style data set, images in one array, or a pair of these and labels.
        classes: names that integer labels index; None takes those of the data set.
        fill: replaces masked values, NaN and infinity; None refuses them.
        layout: axes of an image, `chw` or `hwc`; None tells them by their length.

    Raises:
        InputError: for something else, an empty set, or another number of labels than images.
    """

    def __init__(
        self,
        name: str,
        data: Any,
        classes: Sequence[str] | None,
        fill: float | None = None,
        layout: str | None = None,
    ) -> None:
        self.name, self.labels, self.layout = name, None, layout
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
        self.classes = classes or classes_of(data, name)

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
                image = _channels_first(image, name, 0, decoder.fill, self.layout)
            image = decoder.finish(image, name)
        values.check_square(image, name)
        return image, _label(label, name, self.classes)

    def listed(self, progress: Progress = None) -> Items:
        """Return the images as items that are not read, and their labels.

        Without known labels, every item is taken once for its label; `progress` counts them.

        Raises:
            InputError: for something else than labels.
        """
        labels = self.labels if self.labels is not None else targets_of(self.data)
        if labels is None and isinstance(self.data, Tensor | StoredArray):
            labels = [None] * len(self)
        if labels is None:
            labels, counter = [], Counter(progress, len(self))
            for i in range(len(self)):
                item = self.data[i]
                labels.append(item[1] if isinstance(item, tuple | list) and len(item) > 1 else None)
                counter.add()
        names = map(self.image_name, range(len(self)))
        words = [_label(x, name, self.classes) for x, name in zip(labels, names, strict=True)]
        return Items([PartItem(self, i) for i in range(len(self))], words, self.name)

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


@dataclass(frozen=True)
class PartItem:
    """One image of a part; its text names it."""

    part: Part
    index: int

    def __str__(self) -> str:
        return self.part.image_name(self.index)


def decode_item(decoder: Decoder, item: PartItem) -> Num[Tensor, "c h w"]:
    """Return the image of an item."""
    return item.part.item(item.index, decoder)[0]


def read_on_demand(
    parts: Sequence[Part],
    decoder: Decoder,
    name: str,
    workers: int | None = None,
    channel_names: Sequence[str] | None = None,
    progress: Progress = None,
    test_share: float = 0.2,
    seed: int = 0,
) -> DataSet:
    """Return training and test images, or a share held out, that are read when they are wanted."""
    parts[-1].classes = parts[-1].classes or parts[0].classes
    return read_items(
        name,
        Path(),
        [part.listed(progress) for part in parts],
        decoder,
        key={},
        decode=decode_item,
        keep="files",
        workers=workers,
        test_share=test_share,
        seed=seed,
        channel_names=channel_names,
        classes=parts[0].classes,
        choose=hold_out_by_class,
    )


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
    data: np.ndarray | Tensor,
    name: str,
    batch: int,
    fill: float | None,
    layout: str | None = None,
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
    most = values.FEW
    as_front, as_last = (one <= most, two == three), (three <= most, one == two)
    if layout is not None:
        front = layout == "chw"
    elif as_front != as_last:
        front = as_front > as_last
    return values.as_tensor(data if front else np.moveaxis(data, -1, batch), name, fill)


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
