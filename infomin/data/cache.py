"""A cache of decoded images on disk: a second start reads one file instead of thousands."""

import hashlib
import json
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes

from infomin.core import files
from infomin.core.errors import InputError, InputWarning
from infomin.core.names import file_name
from infomin.data.images import DataSet, ImageSet

_VERSION = 3  # a change of decoding raises it, so that old caches are not used


def stamps(paths: Sequence[Path]) -> list[list[str | int]]:
    """Return name, size and time of files; one of them differs when a file has changed."""
    stats = [path.stat() for path in paths]
    return [[str(path), s.st_size, s.st_mtime_ns] for path, s in zip(paths, stats, strict=True)]


def cached(cache: str | None, build: Callable[[], DataSet], **key: Any) -> DataSet:
    """Return the data set of a key from the cache, or build and store it.

    Without a folder for it, or room, the data set is not stored, and a warning says so.

    Arguments:
        cache: folder; None is the user's cache folder.
        build: makes the data set where the cache does not have it, or cannot be read.
        key: everything that determines the data set: name, options, source files with their stamps.

    Raises:
        InputError: for a given folder that cannot be written, before anything is built.
    """
    text = json.dumps({"version": _VERSION, **key}, sort_keys=True)
    name = file_name(key["name"], most=40)  # the digest tells caches apart
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    try:
        path = files.cache_folder(cache) / f"{name}-{digest}.safetensors"
        with suppress(SafetensorError, OSError, KeyError, ValueError):
            return _read(path)
        files.check_folder(path.parent)
    except InputError as error:
        if cache:
            raise
        _warn(error)
        return build()
    data = build()
    try:
        files.make_folder(path.parent)
        _write(path, data)
    except InputError as error:  # a full disk; the images are in memory
        _warn(error)
    return data


def _warn(reason: InputError) -> None:
    warnings.warn(
        f"the images are not cached, and are read anew by the next command ({reason}); "
        "data.cache=FOLDER names another folder",
        InputWarning,
        stacklevel=3,
    )


def _read(path: Path) -> DataSet:
    with safe_open(path, framework="pt") as stored:
        meta = json.loads((stored.metadata() or {})["data"])
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}
    sets = [
        ImageSet(
            tensors[f"{split}.images"],
            tensors[f"{split}.labels"],
            view_mask=tensors.get(f"{split}.present"),
        )
        for split in ("train", "test")
    ]
    low, high = meta["value_range"]
    size = meta["resized_from"]
    return DataSet(
        name=meta["name"],
        train=sets[0],
        test=sets[1],
        classes=tuple(meta["classes"]),
        skipped=meta["skipped"],
        value_range=(low, high),
        channel_names=tuple(meta["channel_names"]),
        groups=tuple(map(tuple, meta.get("groups", ()))),
        notes=tuple(meta["notes"]),
        advice=tuple(meta["advice"]),
        resized_from=size and (size[0], size[1]),
    )


def _write(path: Path, data: DataSet) -> None:
    tensors = {}
    for split, part in (("train", data.train), ("test", data.test)):
        tensors[f"{split}.images"] = part.images.contiguous()
        tensors[f"{split}.labels"] = part.labels.contiguous()
        if part.view_mask is not None:
            tensors[f"{split}.present"] = part.view_mask.contiguous()
    names = ["name", "classes", "skipped", "value_range", "channel_names", "groups"]
    names += ["notes", "advice", "resized_from"]
    meta = {name: getattr(data, name) for name in names}
    files.write_bytes(path, to_bytes(tensors, metadata={"data": json.dumps(meta)}))
