"""Tar archives of images in WebDataset's layout: `root/train-000000.tar`, `root/val-000000.tar`."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from infomin.core import files
from infomin.core.errors import InputError, UnreadableFile
from infomin.data.cache import stamps
from infomin.data.decode import Decoder
from infomin.data.images import DataSet
from infomin.data.items import Items, check_keep, describe, read_items
from infomin.data.labels import Label, label_of
from infomin.data.names import (
    Split,
    counted,
    image_suffixes,
    is_hidden,
    listed,
    split_in,
    train_and_test,
)
from infomin.data.reading import Counter, Progress, root_folder, source
from infomin.data.tar_files import Member, Members, samples
from infomin.data.walk import LeftOut, describe_sets

_COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
_VERSION = 1  # of the index
Index = dict[str, Any]
"""Samples of some archives: `places` and `names` of their images, `labels`, and `notes`."""


@source
def image_shards(
    root: str | None = None,
    size: int | None = 32,
    image: str | None = None,
    label: str = "cls",
    convert: bool = False,
    skip_bad: bool = False,
    test_share: float = 0.2,
    seed: int = 0,
    cache: str | None = None,
    value_range: Sequence[float] | None = None,
    channel_names: Sequence[str] | None = None,
    layout: str | None = None,
    fill: float | None = None,
    keep: str = "auto",
    workers: int | None = None,
    progress: Progress = None,
) -> DataSet:
    """Read images inside tar archives, in the layout of WebDataset.

    Files with one name up to its first dot are one sample: `7.jpg` and `7.cls`. The name of an
    archive, or of its folder, tells the set: `train-000.tar`, `val/0.tar`. Without names of both
    sets, a random share is held out. Archives are not compressed.

    An index of all places is made once and kept in the cache folder. Images are read in any order,
    so that batches are as random as those of files.

    Arguments:
        root: folder of the archives.
        image: suffix of the images, such as `jpg`; None takes the only image of a sample.
        label: suffix of the files of labels, such as `cls`; `json.NAME` is a field of JSON files;
            `none` is no labels. Samples without it, an empty label and -1 are unlabelled.
        size, convert, skip_bad, test_share, seed, cache, value_range, channel_names, layout, fill,
            keep, workers: see `image_folder`.
        progress: takes the number of archives or images that are read, and of all.

    Raises:
        InputError: for archives or images that cannot be used, by name.
    """
    check_keep(keep, workers)
    decoder = Decoder(size, convert, value_range, layout, fill=fill)
    folder = root_folder(root, "of the tar archives")
    left_out = LeftOut(folder)
    archives = _archives(folder, left_out)
    add = Counter(progress, sum(map(len, archives))).add
    sets, notes = [], list[str]()
    for paths in archives:
        index = _index(paths, image, label, skip_bad, cache, add)
        members = Members(paths, index["places"], index["names"])
        sets.append(Items(members, index["labels"], str(folder)))
        notes += index["notes"]
    data = read_items(
        folder.resolve().name,
        folder,
        sets,
        decoder,
        key={"shards": [stamps(paths) for paths in archives], "samples": [image, label]},
        keep=keep,
        workers=workers,
        cache=cache,
        skip_bad=skip_bad,
        test_share=test_share,
        seed=seed,
        channel_names=channel_names,
        progress=progress,
    )
    names = [f"{len(p)} archive{'s' * (len(p) > 1)}, {p[0].name} first" for p in archives]
    line = describe(data, describe_sets(folder, names, len(data.train), len(data.test)))
    return replace(data, notes=(line, *left_out.notes(*notes, *data.notes)))


def _archives(folder: Path, left_out: LeftOut) -> list[list[Path]]:
    """Return the archives of training and of test, or all where their names do not tell.

    Raises:
        InputError: without any.
    """
    sets: dict[Split | None, list[Path]] = {}
    seen: set[Path] = set()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        inner = path.relative_to(folder)
        if any(map(is_hidden, inner.parts)):
            left_out.add("hidden", path)
        elif path.suffix.lower() == ".tar" and path.resolve() in seen:
            left_out.add("second link{s} to an archive", path)
        elif path.suffix.lower() == ".tar":
            seen.add(path.resolve())
            sets.setdefault(split_in(str(inner.with_suffix(""))), []).append(path)
        elif path.name.lower().endswith(_COMPRESSED):
            left_out.add("compressed archive{s}", path)
        else:
            left_out.add("file{s} of other kinds", path)
    if not sets:
        reason = f"; left out: {left_out}" if str(left_out) else ""
        raise InputError(
            f"data.root: expected tar archives in {folder}, got none; name their folder{reason}"
        )
    chosen, others = train_and_test(sets)
    chosen = [sorted(paths) for paths in chosen]
    left_out.add("archive{s} of another set", *others)
    return chosen


def _index(
    paths: Sequence[Path],
    image: str | None,
    label: str,
    skip_bad: bool,
    cache: str | None,
    add: Callable[[], None],
) -> Index:
    """Return the samples of archives from the cache folder, or read their headers and store it."""
    key = json.dumps([_VERSION, stamps(paths), image, label, skip_bad])
    name = f"index-{hashlib.sha256(key.encode()).hexdigest()[:16]}.safetensors"
    try:
        path = files.cache_folder(cache) / name
        files.check_folder(path.parent)
    except InputError:  # images say so, if they are to be stored
        return _make_index(paths, image, label, skip_bad, add)
    with suppress(SafetensorError, OSError, KeyError, ValueError):
        tensors = load_file(path)
        return tensors | json.loads(tensors.pop("text").tobytes())
    index = _make_index(paths, image, label, skip_bad, add)
    text = json.dumps({name: index[name] for name in ("labels", "notes")}).encode()
    arrays = {name: index[name] for name in ("places", "names")}
    with suppress(InputError), files.making_folder(path.parent):
        files.write_bytes(path, save(arrays | {"text": np.frombuffer(text, np.uint8)}))
    return index


def _make_index(
    paths: Sequence[Path],
    image: str | None,
    label: str,
    skip_bad: bool,
    add: Callable[[], None],
) -> Index:
    places: list[tuple[int, int, int]] = []
    names, labels = bytearray(), list[Label]()
    bare, damaged = list[str](), list[str]()
    suffixes = {image.lower().lstrip(".")} if image else {s[1:] for s in image_suffixes()}
    for number, path in enumerate(paths):
        try:
            read = [_image_and_label(path, *sample, suffixes, label) for sample in samples(path)]
        except UnreadableFile as error:
            if not skip_bad:
                raise InputError(f"{error}; data.skip_bad=true leaves it out") from None
            damaged.append(path.name)
            read = []
        for member, value in read:
            if member is None:
                bare.append(f"{path.name}: {value}")
                continue
            places.append((number, member.start, member.length))
            names += member.name.replace("\n", " ").encode("utf-8", "surrogateescape") + b"\n"
            labels.append(value)
        add()
    if not places:
        raise InputError(
            f"data.root: no images in {len(paths)} archives ({paths[0].name} first); "
            "data.image=SUFFIX names that of the images"
        )
    return {
        "places": np.array(places, np.int64),
        "names": np.frombuffer(bytes(names), np.uint8),
        "labels": labels,
        "notes": [
            counted(reason, texts)
            for reason, texts in (
                ("damaged archive{s}", damaged),
                ("sample{s} without image", bare),
            )
            if texts
        ],
    }


def _image_and_label(
    path: Path, name: str, parts: Mapping[str, Member], suffixes: set[str], label: str
) -> tuple[Member | None, Label]:
    """Return image and label of a sample; None and its name where it has no image.

    Raises:
        InputError: for several images, or a label that cannot be read.
    """
    kinds = [suffix for suffix in parts if {suffix, suffix.rpartition(".")[2]} & suffixes]
    if len(kinds) > 1:
        raise InputError(
            f"{path}: sample {name} has images {listed(kinds)}, expected one; "
            f"data.image={kinds[0]} chooses it"
        )
    if not kinds:
        return None, name
    suffix, _, field = label.partition(".")
    if suffix not in parts or label == "none":
        return parts[kinds[0]], None
    try:
        value = parts[suffix].read().decode().strip()
        if field:
            value = json.loads(value)
            for word in field.split("."):
                value = value[word]
        return parts[kinds[0]], label_of(value)
    except (ValueError, KeyError, TypeError, EOFError) as error:
        raise InputError(
            f"{parts[suffix]}: label: expected a number or a word ({error}); data.label=none "
            "leaves labels out"
        ) from None
