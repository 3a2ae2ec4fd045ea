"""A cache of decoded images on disk: a second start maps one file instead of reading thousands."""

import hashlib
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from torch import Tensor

from infomin.core import files
from infomin.core.errors import InputError, InputWarning
from infomin.core.names import file_name
from infomin.data.image_store import IMAGES, ImageStore, open_store
from infomin.data.images import DataSet, ImageSet
from infomin.data.source import TensorSource, in_chunks

Build = Callable[[ImageStore], DataSet]
"""A function that makes a data set. It may put images into the store, one by one; they never have
to fit into memory then. Training images come first, or both sets are subsets of its source."""
_VERSION = 4  # a change of decoding raises it, so that old caches are not used


def stamps(paths: Sequence[Path]) -> list[list[str | int]]:
    """Return name, size and time of files; one of them differs when a file has changed."""
    stats = [path.stat() for path in paths]
    return [[str(path), s.st_size, s.st_mtime_ns] for path, s in zip(paths, stats, strict=True)]


def cached(cache: str | None, build: Build, most: int = 0, **key: Any) -> DataSet:
    """Return the data set of a key from the cache, or build and store it.

    One process builds it while others wait: those of one command, and other commands. Without a
    folder for it, or room, the data set is not stored, and a warning says so.

    Arguments:
        cache: folder; None is the user's cache folder.
        build: makes the data set where the cache does not have it, or cannot be read.
        most: number of images that `build` puts into the store at most.
        key: everything that determines the data set: name, options, source files with their stamps.

    Raises:
        InputError: for a given folder that cannot be written, before anything is built.
    """
    text = json.dumps({"version": _VERSION, **key}, sort_keys=True)
    name = file_name(key["name"], most=40)  # the digest tells caches apart
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    try:
        path = files.cache_folder(cache) / f"{name}-{digest}.safetensors"
        if data := _read(path):
            return data
        files.check_folder(path.parent)
    except InputError as error:
        if cache:
            raise
        _warn(error)
        return build(ImageStore(most=most))
    try:
        with files.making_folder(path.parent), _alone(path):
            if not (data := _read(path)):
                files.write(path, lambda stream: _write(ImageStore(stream), build))
                data = _read(path)
    except files.NotWritten as error:  # a full disk
        _warn(error)
    return data or build(ImageStore(most=most))


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock of a file; wait for the process that holds it, and say so."""
    lock = FileLock(f"{path}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        text = f"another process decodes the images of {path.name}; waiting"
        warnings.warn(text, InputWarning, stacklevel=4)
        lock.acquire()
    except (OSError, NotImplementedError):  # a file system without locks
        yield
        return
    try:
        yield
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)  # who waits for it looks for the images next
        lock.release()


def _warn(reason: InputError) -> None:
    warnings.warn(
        f"the images are not cached, and are read anew by the next command ({reason}); "
        "data.cache=FOLDER names another folder",
        InputWarning,
        stacklevel=3,
    )


def _read(path: Path) -> DataSet | None:
    """Return a stored data set; None where it is missing or damaged."""
    with suppress(SafetensorError, OSError, KeyError, ValueError):
        return _open(path)
    return None


def _open(path: Path) -> DataSet:
    tensors = open_store(path)
    meta = json.loads(tensors["data"].numpy().tobytes())
    sets = [
        ImageSet(
            TensorSource(tensors[IMAGES], tensors[f"{split}.rows"], mapped=True),
            tensors[f"{split}.labels"],
            view_mask=tensors.get(f"{split}.view_mask"),
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


def _write(store: ImageStore, build: Build) -> None:
    data = build(store)
    tensors: dict[str, Tensor] = {}
    for split, part in (("train", data.train), ("test", data.test)):
        source = part.source
        if isinstance(source, TensorSource) and source.device.type == "meta":  # in the store
            assert source.rows is not None, "a set is a subset of the store"
            rows = source.rows
        else:
            rows = torch.arange(store.count, store.count + len(part))
            for chunk in in_chunks(source):
                for image in chunk:
                    store.add(image, f"data {data.name}")
        tensors[f"{split}.rows"], tensors[f"{split}.labels"] = rows, part.labels
        if part.view_mask is not None:
            tensors[f"{split}.view_mask"] = part.view_mask
    names = ["name", "classes", "skipped", "value_range", "channel_names", "groups"]
    names += ["notes", "advice", "resized_from"]
    meta = json.dumps({name: getattr(data, name) for name in names}).encode()
    store.close(tensors | {"data": torch.frombuffer(bytearray(meta), dtype=torch.uint8)})
