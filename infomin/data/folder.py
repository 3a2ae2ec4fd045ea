"""Any folder of 8-bit images: `root/{train,val}/<class>/*.jpg`, or `root/<class>/*.jpg`."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from infomin import rng
from infomin.data.cache import cached
from infomin.data.images import UNLABELLED, DataSet, ImageSet
from infomin.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
_TEST_FOLDERS = ("val", "test", "valid", "validation")


def image_folder(
    root: str | None = None,
    size: int | None = 32,
    convert: bool = False,
    skip_bad: bool = False,
    test_share: float = 0.2,
    seed: int = 0,
    cache: str | None = None,
) -> DataSet:
    """Read a folder of images into memory, resized and cropped to squares.

    With `train/` and `val/` (or `test/`) inside, those are the two sets; otherwise a seeded share
    of the images is held out for test. Folders below are classes; images in none are unlabelled.

    Arguments:
        root: the folder.
        size: side in pixels: shorter side resized (antialiased), centre cropped; None keeps the
            images as they are, which then must be of one size.
        convert: turn grey images into three equal channels and drop alpha; refused otherwise.
        skip_bad: leave unreadable files out and count them; refused otherwise.
        test_share: share held out where there is no test folder.
        seed: of that choice.
        cache: folder for the decoded images; None is the user's cache folder.

    Raises:
        InputError: for a missing or empty folder, or a file that cannot be used, by name.
    """
    if size is not None and size < 1:
        raise InputError(f"data.size: expected at least 1 pixel, got {size}")
    if root is None:
        raise InputError("data.root: expected the folder that holds the images, got none")
    folder = Path(root).expanduser()
    if not folder.is_dir():
        raise InputError(f"data.root: {folder} is not a folder; give the folder that holds images")
    train_folder = folder / "train"
    test_folder = next((folder / n for n in _TEST_FOLDERS if (folder / n).is_dir()), None)
    split = train_folder.is_dir() and test_folder is not None
    train, test = (train_folder, test_folder) if split and test_folder else (folder, None)
    paths = [_images_below(train)] + ([_images_below(test)] if test else [])
    key = {
        "name": folder.resolve().name,
        "root": str(folder.resolve()),
        "files": [[str(p), p.stat().st_size, p.stat().st_mtime_ns] for ps in paths for p in ps],
        "options": [size, convert, skip_bad, test_share, seed],
    }

    def build() -> DataSet:
        classes = sorted({p.parent.name for p in paths[0] if p.parent != train})
        first, bad = _read(paths[0], train, classes, size, convert, skip_bad)
        if test:
            second, more = _read(paths[1], test, classes, size, convert, skip_bad)
            bad += more
        else:
            first, second = _hold_out(first, test_share, seed)
        if first.images.shape[1:] != second.images.shape[1:]:
            raise InputError(
                f"{folder}: training images are {_shape(first.images)}, test images "
                f"{_shape(second.images)}; set data.size=N"
            )
        return DataSet(str(key["name"]), first, second, tuple(classes), bad)

    return cached(key, cache, build)


def _images_below(folder: Path) -> list[Path]:
    found = [
        Path(where) / name
        for where, _, names in os.walk(folder, followlinks=True)
        for name in names
        if name.lower().endswith(SUFFIXES)
    ]
    if not found:
        raise InputError(
            f"data.root: no images in {folder}; expected <class>/*{{{','.join(SUFFIXES)}}} below it"
        )
    return sorted(found)


def _read(
    paths: Sequence[Path],
    root: Path,
    classes: Sequence[str],
    size: int | None,
    convert: bool,
    skip_bad: bool,
) -> tuple[ImageSet, int]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        decoded = list(pool.map(lambda path: _decode(path, size, convert), paths))
    images: list[Tensor] = []
    labels: list[int] = []
    used: list[Path] = []
    bad = 0
    for path, result in zip(paths, decoded, strict=True):
        if isinstance(result, Exception):
            if not skip_bad:
                raise InputError(
                    f"{path}: cannot be read ({result}); data.skip_bad=true goes on without it"
                )
            bad += 1
            continue
        if images and result.shape != images[0].shape:
            raise InputError(
                f"images of different sizes: {used[0]} is {_shape(images[0])}, {path} is "
                f"{_shape(result)}; set data.size=N to resize them"
            )
        name = path.parent.name
        if path.parent != root and name not in classes:
            raise InputError(f"{path}: class {name!r} has no training images; expected {classes}")
        images.append(result)
        labels.append(UNLABELLED if path.parent == root else classes.index(name))
        used.append(path)
    if not images:
        raise InputError(f"data.root: not one of the {len(paths)} images in {root} can be read")
    return ImageSet(torch.stack(images), torch.tensor(labels)), bad


def _decode(path: Path, size: int | None, convert: bool) -> Tensor | Exception:
    """Return `c h w`, uint8, or what went wrong; a usage error is raised."""
    try:
        with Image.open(path) as opened:
            opened.load()
            image: Image.Image = opened
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return error
    if image.mode != "RGB":
        if image.mode.startswith(("I", "F")):
            raise InputError(f"{path}: has mode {image.mode}, expected 8 bits a channel")
        if not convert:
            raise InputError(
                f"{path}: has mode {image.mode}, expected RGB; data.convert=true makes grey three "
                "equal channels and drops alpha"
            )
        image = image.convert("RGB")
    if size is not None:
        image = ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)
    elif image.width != image.height:
        raise InputError(
            f"{path}: is {image.width}x{image.height}, expected a square; set data.size=N"
        )
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def _hold_out(all_images: ImageSet, share: float, seed: int) -> tuple[ImageSet, ImageSet]:
    n = len(all_images)
    held = round(n * share)
    if not 0 < held < n:
        raise InputError(f"data.test_share: {share} of {n} images leaves {held} for test")
    order = torch.randperm(n, generator=rng.generator(seed, "hold out"))
    first, second = order[held:].sort().values, order[:held].sort().values
    return (
        ImageSet(all_images.images[first], all_images.labels[first]),
        ImageSet(all_images.images[second], all_images.labels[second]),
    )


def _shape(images: Tensor) -> str:
    return f"{images.shape[-1]}x{images.shape[-2]}"
