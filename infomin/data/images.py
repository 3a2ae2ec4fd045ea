"""What every data source gives: resident images with labels, for training and for test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Int64, Num
from torch import Tensor

from infomin.core import presence
from infomin.core.errors import InputError
from infomin.core.presence import Present
from infomin.core.value_range import UNIT, ValueRange, parse_channel_names
from infomin.data.values import take

UNLABELLED = -1


@dataclass(frozen=True)
class ImageSet:
    """Images and their labels; -1 marks an image without one.

    Attributes:
        images: `n c h w`; uint8 means [0, 1] after division by 255, uint16 and float32 mean their
            own numbers.
        labels: `n`.
        factors: what else is known of the images, by name: integers `n` are classes, floats `n` or
            `n k` numbers.
        present: who has which view, `n m`, where the images of some views are missing, and zeros
            stand for them; None when everything is there. It stays on the CPU.
    """

    images: Num[Tensor, "n c h w"]
    labels: Int64[Tensor, " n"]
    factors: Mapping[str, Num[Tensor, "n ..."]] = field(default_factory=dict)
    present: Present | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "present", presence.unless_all(self.present))

    def __len__(self) -> int:
        return len(self.images)

    def labelled(self) -> "ImageSet":
        """Return the images that have a label."""
        known = self.labels != UNLABELLED
        return self if bool(known.all()) else self.part(known.nonzero().squeeze(1))

    def part(self, index: Int64[Tensor, " m"]) -> "ImageSet":
        """Return some of the images, with their labels."""
        factors = {name: values[index] for name, values in self.factors.items()}
        present = None if self.present is None else self.present[index.cpu()]
        return ImageSet(take(self.images, index), self.labels[index], factors, present)

    def to(self, device: torch.device) -> "ImageSet":
        """Move to a device."""
        factors = {name: values.to(device) for name, values in self.factors.items()}
        return ImageSet(self.images.to(device), self.labels.to(device), factors, self.present)

    def seen(self, groups: Sequence[Sequence[int]], sources: Sequence[Sequence[int]]) -> "ImageSet":
        """Return the images that any of some views can be had of; see `presence.of_views`."""
        if self.present is None:
            return self
        found = replace(self, present=presence.of_views(self.present, groups, sources))
        kept = presence.somebody(found.present)
        return found if kept is None or len(kept) == len(self) else found.part(kept)


@dataclass(frozen=True)
class DataSet:
    """A data set: training and test images of one size, and the names of things.

    Attributes:
        name: what cards and records call it.
        train, test: two disjoint sets.
        classes: class names; labels index them; empty when nothing is labelled.
        skipped: number of unreadable files that were left out.
        value_range: lowest and highest value that the images can have, in their units.
        channel_names: R, G, B for three channels and channel_0, ... for others, if not given.
        groups: channels of every view, where images come in views; else none. They are the
            columns of `present`.
    """

    name: str
    train: ImageSet
    test: ImageSet
    classes: tuple[str, ...]
    skipped: int = 0
    value_range: ValueRange = UNIT
    channel_names: tuple[str, ...] = ()
    groups: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        found = parse_channel_names(self.channel_names or None, self.channels, "data.channel_names")
        object.__setattr__(self, "channel_names", found)

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.train.images.shape[1]

    @property
    def size(self) -> int:
        """Side of the images, in pixels."""
        return self.train.images.shape[-1]

    @property
    def kind(self) -> dict[str, Any]:
        """What a generator of views must know of the images: arguments of `ViewGenerator`."""
        names = ("channels", "value_range", "channel_names")
        return {name: getattr(self, name) for name in names}

    def suits(
        self, taker: str, channels: int, value_range: ValueRange, names: Sequence[str] | None
    ) -> None:
        """Make sure that a generator or an encoder takes these images.

        Arguments:
            taker: which one, as an error names it.
            channels, value_range, names: what it takes; None for names takes any.

        Raises:
            InputError: when one of them differs.
        """
        names = self.channel_names if names is None else tuple(names)
        if (channels, value_range, names) != tuple(self.kind.values()):
            do = "declare those of your images with data.value_range and data.channel_names"
            if channels != self.channels:
                do = "choose data of such images, as data=image_folder data.root=PATH"
            raise InputError(
                f"{taker} takes {channels} channels within {list(value_range)} "
                f"({', '.join(names)}), data {self.name} has {self.channels} within "
                f"{list(self.value_range)} ({', '.join(self.channel_names)}); {do}"
            )

    def needs_classes(self, purpose: str) -> None:
        """Make sure that there is something to classify, and to judge that on.

        Raises:
            InputError: with fewer than two classes among the labels, or none in the test set.
        """
        present = torch.unique(self.train.labelled().labels)
        if len(present) < 2:
            raise InputError(
                f"data {self.name}: {purpose} needs at least 2 classes, got {len(present)}"
                + (f" ({self.classes[int(present[0])]})" if len(present) else "")
                + "; put images into one folder per class"
            )
        if not len(self.test.labelled()):
            raise InputError(
                f"data {self.name}: {purpose} needs labelled test images, got none; put them into "
                "one folder per class"
            )

    def seen(self, sources: Sequence[Sequence[int]]) -> "DataSet":
        """Return the samples that any of some views can be had of, and who has which of these.

        Arguments:
            sources: channels that every view is made of, `View.sources`.
        """
        if not self.lacking:
            return self
        train, test = (part.seen(self.groups, sources) for part in (self.train, self.test))
        groups = tuple(tuple(view) for view in sources)
        return replace(self, train=train, test=test, groups=groups)

    @property
    def lacking(self) -> dict[str, dict[str, Any]]:
        """How many samples have each view, of the sets where some lack one; see `count`."""
        parts = {"training": self.train.present, "test": self.test.present}
        return {name: presence.count(p) for name, p in parts.items() if p is not None}

    def needs_pairs(self) -> None:
        """Make sure that there are views to contrast, and test images to measure I_NCE on.

        Raises:
            InputError: for fewer than two training images with two views, or fewer than two test
                images with both of the first two.
        """
        found = {"training images with two views": len(self.train)}
        if self.train.present is not None:
            found = dict.fromkeys(found, int((self.train.present.sum(1) >= 2).sum()))
        both = presence.both(self.test.present, 0, 1)
        found["test images with the first two views"] = len(self.test if both is None else both)
        for what, number in found.items():
            if number < presence.FEWEST:
                raise InputError(
                    f"data {self.name}: a contrast needs at least {presence.FEWEST} {what}, got "
                    f"{number}; name views that go together, two such first"
                )

    def needs_all(self, purpose: str) -> None:
        """Make sure that no sample lacks a view.

        Raises:
            InputError: when some do.
        """
        for part in (self.train, self.test):
            presence.needs_all(part.present, f"data {self.name}", purpose)

    def to(self, device: torch.device) -> "DataSet":
        """Move the images to a device."""
        return replace(self, train=self.train.to(device), test=self.test.to(device))
