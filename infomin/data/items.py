"""Images that are listed before they are read: files of a folder, rows of a table, parts of a tar.

A reader lists its items, one for each image, and their labels. `read_items` does the rest: it
decodes them once into a cache, or leaves them to a source that decodes them on demand.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from infomin.core.errors import InputError, UnreadableFile, one_of, whole_number
from infomin.core.names import printable
from infomin.data import values
from infomin.data.cache import cached
from infomin.data.decode import Decoder
from infomin.data.file_source import FileSource
from infomin.data.image_store import ImageStore
from infomin.data.images import KEEP, DataSet, ImageSet
from infomin.data.labels import Label, encode
from infomin.data.names import counted, listed
from infomin.data.reading import Counter, Progress, in_threads
from infomin.data.source import Index, Source
from infomin.data.split import hold_out

Decode = Callable[[Decoder, Any], Tensor]
"""A function of a decoder and an item that returns its image `c h w`."""
_DECODER_OPTIONS = ("size", "convert", "value_range", "layout", "grey", "fill")
HoldOut = Callable[[Int64[Tensor, " n"], float, int], tuple[Index, Index]]
"""A function of labels, share and seed that chooses training and test images."""


@dataclass(frozen=True)
class Items:
    """Training or test images that are listed, not read.

    Attributes:
        items: one for each image; its text names the image in messages.
        labels: of the images.
        place: names where they are, in messages.
    """

    items: Sequence[Any]
    labels: Sequence[Label]
    place: str

    def name(self, index: int) -> str:
        """Return the name of an image, for messages."""
        return str(self.items[index])


def check_keep(keep: str, workers: int | None) -> None:
    """Raise an InputError for another place of images, or a negative number of workers."""
    one_of("data.keep", keep, (*KEEP, "files"))
    if workers is not None:
        whole_number("data.workers", workers, 0)


def read_items(
    name: str,
    root: Path,
    sets: Sequence[Items],
    decoder: Decoder,
    key: Mapping[str, Any],
    decode: Decode | None = None,
    keep: str = "auto",
    workers: int | None = None,
    cache: str | None = None,
    skip_bad: bool = False,
    test_share: float = 0.2,
    seed: int = 0,
    channel_names: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    choose: HoldOut | None = None,
    progress: Progress = None,
) -> DataSet:
    """Return a data set of listed images; decode them into a cache, unless `keep` is `files`.

    Arguments:
        name: of the data set.
        root: the folder or file that holds the images.
        sets: training and test images, or one set, of which a share is held out.
        decoder: its rules and options.
        key: everything else that determines the images, such as their files with their stamps.
        decode: returns the image of an item; None decodes it as a file.
        keep, workers, cache, skip_bad, test_share, seed, channel_names: see `image_folder`.
        classes: all names that labels may have, in the order of classes; None sorts the labels.
        choose: function that holds out the share; None is `hold_out`.
        progress: takes the number of items that are decoded, and of all.

    Returns:
        The data set. Its notes name the unreadable items, if there are any.

    Raises:
        InputError: for an item that cannot be used, by name.
    """
    labels, names = [part.labels for part in sets], [part.name for part in sets]
    choose, decode = choose or _hold_out, decode or _decode_file
    order, indices = encode(labels, names, classes)  # refuses before decoding
    total = sum(map(len, labels))
    if keep == "files":
        items = sets[0].items if len(sets) == 1 else _Joined(sets[0].items, sets[1].items)
        images = _on_demand(items, torch.cat(indices), decoder, decode, skip_bad, workers)
        train, test = _two_sets(images, indices, test_share, seed, choose)
        return DataSet(
            name,
            train=train,
            test=test,
            classes=order,
            channel_names=tuple(channel_names or ()),
            value_range=values.resolve_range(decoder.value_range, images.dtype),
            keep=keep,
        )

    def decode_item(item: Any) -> Tensor | None:
        try:
            return decode(decoder, item)
        except UnreadableFile as error:
            if skip_bad:
                return None
            raise InputError(f"{error}; data.skip_bad=true leaves it out") from None

    def build(store: ImageStore) -> DataSet:
        add = Counter(progress, total).add
        kept = [store_items(part.items, part.place, decode_item, add, store) for part in sets]
        used = [
            Items([part.items[i] for i in index], [part.labels[i] for i in index], part.place)
            for part, index in zip(sets, kept, strict=True)
        ]
        order, indices = encode([p.labels for p in used], [p.name for p in used], classes)
        train, test = _two_sets(store.source, indices, test_share, seed, choose)
        return DataSet(
            name,
            train=train,
            test=test,
            classes=order,
            skipped=total - sum(map(len, kept)),
            channel_names=tuple(channel_names or ()),
            notes=_unreadable(root, sets, kept),
            **decoder.facts(store.source.dtype),
        )

    options = {
        "decoder": [getattr(decoder, name) for name in _DECODER_OPTIONS],
        "others": [skip_bad, test_share, seed, channel_names, classes],
    }
    data = cached(cache, build, total, name=name, root=str(root.resolve()), options=options, **key)
    return replace(data, keep=keep)


def describe(data: DataSet, sets: str, remarks: Sequence[str] = ()) -> str:
    """Return one line for people about both sets, given a sentence on them, and the classes."""
    count = len(data.classes)
    classes = (
        f"{count} class{'es' * (count != 1)}: {listed(data.classes)}" if count else "no labels"
    )
    return printable("; ".join((f"data {data.name}: {sets}", classes, *remarks)))


def store_items(
    items: Sequence[Any],
    place: str,
    decode: Callable[[Any], Tensor | None],
    add: Callable[[], None],
    store: ImageStore,
) -> list[int]:
    """Read images of one kind into a store; return their places in `items`.

    Arguments:
        items: the images, in order.
        place: names where they are, in messages.
        decode: returns the image of an item; None leaves it out.
        add: counts a decoded item.
        store: takes the images.

    Raises:
        InputError: for an item that cannot be used, by name.
    """
    kept: list[int] = []
    with in_threads(decode, items, add) as decoded:
        for i, image in enumerate(decoded):
            if image is None:
                continue
            values.check_square(image, str(items[i]))
            store.add(image, str(items[i]))
            kept.append(i)
    if not kept:
        raise InputError(f"data.root: none of the {len(items)} images in {place} can be read")
    return kept


def _decode_file(decoder: Decoder, file: Any) -> Tensor:
    return decoder(file)


def _hold_out(labels: Int64[Tensor, " n"], share: float, seed: int) -> tuple[Index, Index]:
    return hold_out(len(labels), share, seed, labels)


def _two_sets(
    images: Source, labels: Sequence[Tensor], test_share: float, seed: int, choose: HoldOut
) -> tuple[ImageSet, ImageSet]:
    """Return training and test images, given the labels of both, or of all."""
    if len(labels) == 1:
        chosen = choose(labels[0], test_share, seed)
        train, test = (ImageSet(images, labels[0]).subset(index) for index in chosen)
    else:
        parts = torch.arange(len(images)).split([*map(len, labels)])
        train, test = (
            ImageSet(images.subset(rows), y) for rows, y in zip(parts, labels, strict=True)
        )
    return train, test


def _on_demand(
    items: Sequence[Any],
    labels: Int64[Tensor, " n"],
    decoder: Decoder,
    decode: Decode,
    skip_bad: bool,
    workers: int | None,
) -> FileSource:
    """Return items as a source; only the first image is decoded."""
    for item in items:
        try:
            example = decode(decoder, item)
        except UnreadableFile as error:
            if skip_bad:
                continue
            raise InputError(
                f"{error}; data.skip_bad=true replaces it by another image of its class"
            ) from None
        values.check_square(example, str(item))
        if example.dtype != torch.uint8:  # all images are checked against one range, when they come
            known = values.resolve_range(decoder.value_range, example.dtype)
            decoder = replace(decoder, value_range=known)
        return FileSource(items, partial(decode, decoder), example, labels, skip_bad, workers)
    raise InputError(f"data.root: none of the {len(items)} images can be read")


class _Joined(Sequence[Any]):
    """Two sequences, one behind the other; copies none."""

    def __init__(self, first: Sequence[Any], last: Sequence[Any]) -> None:
        self.first, self.last = first, last

    def __len__(self) -> int:
        return len(self.first) + len(self.last)

    def __getitem__(self, index: Any) -> Any:  # no slices
        index, n = range(len(self))[index], len(self.first)
        return self.first[index] if index < n else self.last[index - n]


def _unreadable(
    root: Path, sets: Sequence[Items], kept: Sequence[Sequence[int]]
) -> tuple[str, ...]:
    """Return words that name the items which could not be read, or nothing."""
    names = sorted(
        part.name(i).removeprefix(f"{root}/")
        for part, index in zip(sets, kept, strict=True)
        for i in {*range(len(part.items))}.difference(index)
    )
    return (counted("unreadable file{s}", names),) if names else ()
