"""Data sets: images with labels, for training and for test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Int64, Num
from torch import Tensor

from infomin.core.errors import InputError, one_of
from infomin.core.names import printable
from infomin.core.value_range import UNIT, ValueRange, parse_channel_names
from infomin.data import missing_views
from infomin.data.missing_views import ViewMask
from infomin.data.source import Source, TensorSource

UNLABELLED = -1
KEEP = ("auto", "device", "mapped")
"""Places where images wait for their batch; see `image_folder`, which has `files`, too."""


@dataclass(frozen=True)
class ImageSet:
    """Images and their labels.

    Attributes:
        source: images `n c h w`; uint8 means [0, 1] after division by 255, uint16 and float32 mean
            their own numbers.
        labels: classes; -1 for none.
        factors: other known properties by name: integers `n` are classes, floats `n` or `n k` are
            numbers.
        view_mask: mask of the views that each sample has, `n m`, on the CPU. The images of missing
            views are zeros. None if no view is missing.
    """

    source: Source
    labels: Int64[Tensor, " n"]
    factors: Mapping[str, Num[Tensor, "n ..."]] = field(default_factory=dict)
    view_mask: ViewMask | None = None

    def __post_init__(self) -> None:
        if self.view_mask is not None and bool(self.view_mask.all()):
            object.__setattr__(self, "view_mask", None)

    @classmethod
    def of(
        cls,
        images: Num[Tensor, "n c h w"],
        labels: Int64[Tensor, " n"],
        factors: Mapping[str, Num[Tensor, "n ..."]] | None = None,
        view_mask: ViewMask | None = None,
    ) -> "ImageSet":
        """Return a set of images in one tensor."""
        return cls(TensorSource(images), labels, factors or {}, view_mask)

    def __len__(self) -> int:
        return len(self.source)

    @property
    def images(self) -> Num[Tensor, "n c h w"]:
        """All images in one tensor; a copy, unless they are one in memory already."""
        return self.source.load(self.source.device).tensor

    def some(self, index: Int64[Tensor, " m"]) -> Num[Tensor, "m c h w"]:
        """Return the images of an index."""
        return next(self.source.read([index]))

    def spread(self, number: int) -> Num[Tensor, "m c h w"]:
        """Return at most `number` images, evenly spaced."""
        return self.some(torch.arange(0, len(self), max(1, len(self) // number))[:number])

    def labelled(self) -> "ImageSet":
        """Return the images that have a label."""
        known = self.labels != UNLABELLED
        return self if bool(known.all()) else self.subset(known.nonzero().squeeze(1))

    def subset(self, index: Int64[Tensor, " m"]) -> "ImageSet":
        """Return the images of an index, with their labels."""
        factors = {name: values[index] for name, values in self.factors.items()}
        view_mask = None if self.view_mask is None else self.view_mask[index.cpu()]
        return ImageSet(self.source.subset(index), self.labels[index], factors, view_mask)

    def to(self, device: torch.device) -> "ImageSet":
        """Move to a device."""
        factors = {name: values.to(device) for name, values in self.factors.items()}
        return ImageSet(self.source.load(device), self.labels.to(device), factors, self.view_mask)

    def with_views(
        self, groups: Sequence[Sequence[int]], sources: Sequence[Sequence[int]]
    ) -> "ImageSet":
        """Return the samples that have any of some views; see `missing_views.mask_of_views`."""
        if self.view_mask is None:
            return self
        mask = missing_views.mask_of_views(self.view_mask, groups, sources)
        viewed, kept = replace(self, view_mask=mask), mask.any(1)
        return viewed if bool(kept.all()) else viewed.subset(kept.nonzero().flatten())


@dataclass(frozen=True)
class DataSet:
    """Training and test images of one size, and their names.

    Attributes:
        name: the name in cards and records.
        train, test: two disjoint sets.
        classes: names of the distinct labels, which labels index; empty without labels.
        skipped: number of unreadable files that were left out.
        value_range: lowest and highest value of the images, in their units.
        channel_names: by default R, G, B for three channels and channel_0, ... for others.
        advice: options that would suit the images better, such as a value range, one line each.
        resized_from: largest width and height of images that were resized; None without any.
        groups: channels of every view, the columns of `view_mask`, where images come as views.
        notes: lines for people: the files and folders that are used, and those that are not.
        keep: where images wait for their batch; see `image_folder`.
    """

    name: str
    train: ImageSet
    test: ImageSet
    classes: tuple[str, ...]
    skipped: int = 0
    value_range: ValueRange = UNIT
    channel_names: tuple[str, ...] = ()
    groups: tuple[tuple[int, ...], ...] = ()
    notes: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    resized_from: tuple[int, int] | None = None
    keep: str = "auto"

    def __post_init__(self) -> None:
        one_of("data.keep", self.keep, (*KEEP, "files"))
        names = parse_channel_names(self.channel_names or None, self.channels, "data.channel_names")
        object.__setattr__(self, "channel_names", names)
        # those of folders may be no UTF-8, which no card and no figure can hold
        object.__setattr__(self, "name", printable(self.name))
        object.__setattr__(self, "classes", tuple(map(printable, self.classes)))

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.train.source.shape[1]

    @property
    def size(self) -> int:
        """Side of the images, in pixels."""
        return self.train.source.shape[-1]

    @property
    def generator_options(self) -> dict[str, Any]:
        """Channels, value range and channel names, as arguments of `ViewGenerator`."""
        names = ("channels", "value_range", "channel_names")
        return {name: getattr(self, name) for name in names}

    def check_images(
        self, taker: str, channels: int, value_range: ValueRange, names: Sequence[str] | None
    ) -> None:
        """Check that a generator or an encoder takes these images.

        Arguments:
            taker: names it in the error message.
            channels, value_range, names: what it takes; None takes any names.

        Raises:
            InputError: when one of them differs.
        """
        names = self.channel_names if names is None else tuple(names)
        if (channels, value_range, names) != tuple(self.generator_options.values()):
            advice = "declare those of your images with data.value_range and data.channel_names"
            if channels != self.channels:
                advice = f"choose data of {channels} channels, as data=image_folder data.root=PATH"
            raise InputError(
                f"{taker} takes {channels} channels within {list(value_range)} "
                f"({', '.join(names)}), data {self.name} has {self.channels} within "
                f"{list(self.value_range)} ({', '.join(self.channel_names)}); {advice}"
            )

    def check_classes(self, purpose: str) -> None:
        """Check that training images have two classes or more, and test images no others.

        Raises:
            InputError: otherwise, and without labelled test images.
        """
        labels, tested = (torch.unique(part.labelled().labels) for part in (self.train, self.test))
        highest = (
            int(torch.cat([labels, tested]).max()) if len(labels) + len(tested) else UNLABELLED
        )
        if highest >= len(self.classes):
            raise InputError(
                f"data {self.name}: labels: expected indices of {len(self.classes)} classes, got "
                f"{highest}; infomin.from_torch numbers the distinct labels"
            )
        if len(labels) < 2:
            raise InputError(
                f"data {self.name}: {purpose} needs at least 2 classes, got {len(labels)}"
                + (f" ({self.classes[int(labels[0])]})" if len(labels) else "")
                + "; put images into one folder per class"
            )
        missing = [*tested[~torch.isin(tested, labels)].tolist()]
        if missing:
            raise InputError(
                f"data {self.name}: {purpose} needs training images of every class of the test "
                f"images, got none of {self.classes[missing[0]]}; leave its test images out"
            )
        if not len(tested):
            raise InputError(
                f"data {self.name}: {purpose} needs labelled test images, got none; put them into "
                "one folder per class"
            )

    def with_views(self, sources: Sequence[Sequence[int]]) -> "DataSet":
        """Return the samples that have at least one of some views, with the mask of these views.

        Arguments:
            sources: channels that every view needs, `View.sources`.
        """
        if not self.missing_counts:
            return self
        train, test = (part.with_views(self.groups, sources) for part in (self.train, self.test))
        groups = tuple(tuple(view) for view in sources)
        return replace(self, train=train, test=test, groups=groups)

    @property
    def missing_counts(self) -> dict[str, dict[str, Any]]:
        """Number of samples with each view, for the sets with missing views; see `count`."""
        parts = {"training": self.train.view_mask, "test": self.test.view_mask}
        return {name: missing_views.count(p) for name, p in parts.items() if p is not None}

    def check_pairs(self) -> None:
        """Check that there are pairs of views to contrast, and test images to measure I_NCE on.

        Raises:
            InputError: for fewer than two training images with two views, or fewer than two test
                images with the first two.
        """
        pairs = len(self.train)
        if self.train.view_mask is not None:
            pairs = int((self.train.view_mask.sum(1) >= 2).sum())
        both = missing_views.having(self.test.view_mask, len(self.test), 0, 1)
        for images, number in (
            ("training images with two views", pairs),
            ("test images with the first two views", int(both.sum())),
        ):
            if number < missing_views.FEWEST:
                raise InputError(
                    f"data {self.name}: found {number} {images}, need at least "
                    f"{missing_views.FEWEST}; list two overlapping views first in data.views"
                )

    def check_complete(self, purpose: str) -> None:
        """Raise an InputError when a sample lacks a view."""
        for part in (self.train, self.test):
            missing_views.check_complete(part.view_mask, f"data {self.name}", purpose)

    def to(self, device: torch.device) -> "DataSet":
        """Move the images to a device."""
        return replace(self, train=self.train.to(device), test=self.test.to(device))
