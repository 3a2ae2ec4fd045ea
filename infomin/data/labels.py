"""Labels of images: classes are the distinct labels of the training images.

Labels are words, or integers where classes have no names. Test images may lack a class, but have
none that training images lack.
"""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor
from torch.utils.data import ConcatDataset, Subset

from infomin.core.errors import InputError, one_of
from infomin.data.images import UNLABELLED, DataSet
from infomin.data.names import composed, listed, normal_form, split_of
from infomin.data.walk import Listing

Label = str | int | None
"""A class, an integer where classes have no names, or none."""
_DATE = re.compile(
    r"(19|20)\d\d([-_. ]?\d\d){0,5}([^0-9].*)?"  # 2024, 2024-01, 20240105, 2024-01-05 noon
    r"|\d\d?[-_. ]\d\d?[-_. ](19|20)?\d\d([^0-9].*)?"  # 5.1.2024
)
_NUMBERS = 20  # more classes that are numbers look like no labels
_LEVELS = (-1, *range(1, 100))
_SHOWN = 8  # class names in a sentence


def encode(
    labels: Sequence[Sequence[Label]],
    name: Sequence[Callable[[int], str]],
    order: Sequence[str] | None = None,
) -> tuple[tuple[str, ...], list[Int64[Tensor, " n"]]]:
    """Return the classes, and the labels of every set as indices of them, -1 for none.

    Arguments:
        labels: of training images, then of test images if there are any. Where training images
            have none, classes are those of test images.
        name: a function for each set that names an image by its index, for messages.
        order: all names that labels may have, in the order of classes; None sorts the labels.

    Raises:
        InputError: for a label that is not in `order`, or that no training image has.
    """
    distinct = [{label for label in part if label is not None} for part in labels]
    classes = distinct[0] or distinct[-1]
    known = sorted(classes, key=lambda x: (isinstance(x, str), x)) if order is None else order
    kept = dict.fromkeys(label for label in known if label in classes)
    index: dict[Label, int] = {None: UNLABELLED, **{label: i for i, label in enumerate(kept)}}
    for part, name_of in zip(labels, name, strict=True):
        for i, label in enumerate(part):
            if label not in index:
                if order is not None and label not in order:
                    words = listed([*map(str, order)], _SHOWN)
                    raise InputError(f"{name_of(i)}: label: expected one of {words}, got {label!r}")
                raise InputError(
                    f"{name_of(i)}: class {label!r} has no training images, expected one of "
                    f"{listed([*map(str, kept)], _SHOWN)}; add some, or leave this image out"
                )
    return tuple(map(str, kept)), [
        torch.tensor([index[label] for label in part]) for part in labels
    ]


def label_of(value: object) -> Label:
    """Return the label that a value of a file is; empty values, NaN and -1 are none.

    Texts that are whole numbers become integers, so that 10 comes after 9.

    Raises:
        ValueError: for a value that is no whole number and no text.
    """
    if isinstance(value, str):
        value = value.strip()
        value = int(value) if re.fullmatch("0|-?[1-9][0-9]{0,17}", value) else value
    if isinstance(value, float):
        value = None if math.isnan(value) else int(value) if value.is_integer() else value
    if value in (None, "", UNLABELLED):
        return None
    if not isinstance(value, int | str):
        raise ValueError(f"got {value!r}")
    return int(value) if isinstance(value, int) else value


def renumber(
    labels: Int64[Tensor, " n"], names: Sequence[str], classes: Sequence[str], name: str
) -> Int64[Tensor, " n"]:
    """Return labels that index other classes.

    Arguments:
        labels: indices of `names`, -1 for none.
        names, classes: the present class names, and the other ones.
        name: of the data, for messages.

    Raises:
        InputError: for a label that is not one of the other classes.
    """
    missing = [word for word in names if word not in classes]
    if missing:
        raise InputError(
            f"{name}: expected the classes of train ({listed(classes, _SHOWN)}), got "
            f"{listed(missing, _SHOWN)} too; leave these images out"
        )
    table = torch.tensor([*(classes.index(word) for word in names), UNLABELLED])
    return table.to(labels.device)[labels]  # -1 is the last


def label_warning(data: DataSet) -> str | None:
    """Return a line where labels look like none: an image for each, dates, or many numbers."""
    classes, reason = data.classes, ""
    images = int((data.train.labels != UNLABELLED).sum())
    numbers = sorted(int(name) for name in classes if name.isdecimal())
    counted = numbers in ([*range(len(classes))], [*range(1, len(classes) + 1)])
    if images < 1.5 * len(classes):
        reason = f"there are {images} training images"
    elif all(map(_DATE.fullmatch, classes)):
        reason = "their names are dates"
    elif len(numbers) == len(classes) > _NUMBERS and not counted:
        reason = "their names are numbers"
    if len(classes) < 2 or not reason:
        return None
    return (
        f"data {data.name}: {len(classes)} classes look like no labels, since {reason} "
        f"({listed(classes)}); leave labels out, of folders with data.labels=none, or choose "
        "other folders with data.class_level=2"
    )


# Labels of data sets of PyTorch


def classes_of(data: Any, name: str) -> Sequence[str] | None:
    """Return the class names of a torchvision data set, also inside `Subset` or `ConcatDataset`."""
    if isinstance(data, Subset):
        return classes_of(data.dataset, name)
    if isinstance(data, ConcatDataset):
        first, *others = (classes_of(part, name) for part in data.datasets)
        if any(other != first for other in others):
            raise InputError(f"{name}: the parts of ConcatDataset have other classes; give classes")
        return first
    classes = getattr(data, "classes", None)
    return [str(c) for c in classes] if isinstance(classes, list | tuple) else None


def targets_of(data: Any) -> Sequence[Any] | None:
    """Return the labels of a torchvision data set, also inside `Subset` or `ConcatDataset`."""
    if isinstance(data, Subset):
        labels = targets_of(data.dataset)
        return None if labels is None else [labels[i] for i in data.indices]
    if isinstance(data, ConcatDataset):
        parts = [targets_of(part) for part in data.datasets]
        known = [part for part in parts if part is not None]
        return [x for part in known for x in part] if len(known) == len(parts) else None
    targets: Any = getattr(data, "targets", getattr(data, "labels", None))
    changed = getattr(data, "target_transform", None) is not None
    if changed or not (
        isinstance(targets, Tensor | np.ndarray) or isinstance(targets, list | tuple)
    ):
        return None
    targets = targets.tolist() if isinstance(targets, Tensor | np.ndarray) else targets
    return targets if len(targets) == len(data) else None


# Labels of folders


def folder_labels(
    listing: Listing, labels: str = "folders", class_level: int | None = None
) -> tuple[list[list[Label]], tuple[str, ...]]:
    """Return the class of every image in both sets by the names of folders, and remarks.

    Names of one normal form are one class, with the name of the first of them. Where training
    folders differ in capitals alone, as those of letters do, capitals tell classes apart.

    Arguments:
        listing: the images.
        labels, class_level: see `image_folder`.

    Raises:
        InputError: for another value of these.
    """
    one_of("data.labels", labels, ("folders", "none"))
    if class_level is not None and (type(class_level) is not int or class_level not in _LEVELS):
        raise InputError(
            f"data.class_level: expected 1, 2, ... or -1, got {class_level!r}; data.labels=none "
            "leaves labels out"
        )
    parents = [
        paths.folders_below(folder)
        for folder, paths in zip(listing.folders, listing.paths, strict=True)
    ]
    remarks = _unused_splits(parents[0]) if len(parents) == 1 else []
    if labels == "none":
        return [[None] * len(part) for part in parents], tuple(remarks)
    names, deeper = list[list[str | None]](), False
    for part in parents:
        known = {normal_form(name) for name in {*names[0]} if name} if names else set()
        level = class_level or _level(part, known)
        deeper |= class_level is None and any(len(parent) > level for parent in part)
        names.append([_folder(parent, level) for parent in part])
    if class_level is not None and not any(names[0]):
        deepest = max(len(parent) for parent in parents[0])
        raise InputError(
            f"data.class_level: expected at most {deepest}, the depth of the images in "
            f"{listing.root}, got {class_level}; data.labels=none leaves labels out"
        )
    distinct = {composed(name) for name in names[0] if name is not None}
    same_but_capitals = len(distinct) - len({normal_form(name) for name in distinct})
    form = composed if same_but_capitals else normal_form
    spellings: dict[str, dict[str, None]] = {}  # by form, in order
    for words in names:
        for name in sorted({name for name in words if name is not None}):
            spellings.setdefault(form(name), {})[name] = None
    merged = [composed(next(iter(same))) for same in spellings.values() if len(same) > 1]
    if deeper:
        remarks.append(
            "some images lie deeper than the folder of their class (data.class_level=2 takes the "
            "next folder as the class, -1 the last)"
        )
    if same_but_capitals:
        remarks.append("classes that differ in capitals alone are several")
    if merged:
        remarks.append(f"folders of several spellings are one class ({listed(merged, _SHOWN)})")
    classes: dict[str | None, Label] = {None: None}
    for same in spellings.values():
        classes |= dict.fromkeys(same, composed(next(iter(same))))
    return [[classes[name] for name in words] for words in names], tuple(remarks)


def _level(parents: Sequence[tuple[str, ...]], known: set[str]) -> int:
    """Return the first level of several folders, of known classes, or that holds images."""
    level = 1
    while all(len(parent) > level for parent in parents):
        names = {normal_form(name) for name in {parent[level - 1] for parent in parents}}
        if len(names) > 1 or names <= known:
            break
        level += 1
    return level


def _folder(parent: tuple[str, ...], level: int) -> str | None:
    """Return the name of the folder of a level, -1 the last; None where there is none."""
    index = level - 1 if level > 0 else level
    return parent[index] if len(parent) >= abs(level) else None


def _unused_splits(parents: Sequence[tuple[str, ...]]) -> list[str]:
    """Return a remark where folders are named like splits and are none."""
    names = sorted({name for parent in {*parents} for name in parent if split_of(name)})
    text = "train/ and val/ (or test/) split the images only directly below data.root"
    return [f"folders named {listed(names)} are no split: {text}"] if names else []
