"""Any set of image folders as views: files of one stem are one sample, seen by several sensors.

Each folder holds the images of one view, 8-bit pictures, grey or in colour, 16-bit PNG, TIFF or
`.npy`, with `{train,val}/` and classes inside or not, as `image_folder` takes them. A sample is the
path of its file without the suffix: `rgb/val/cat/7.jpg` belongs to `depth/val/cat/7.png`.

Channels of all views lie side by side. Where every view has 8 bits they stay so; otherwise they
become float32 within [0, 1]. A view that a sample lacks is refused, or allowed: then its image is
zeros, and a table says who is there.
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path

import torch
from torch import Tensor

from infomin.core.errors import InputError, called, true_or_false
from infomin.data.cache import cached, stamps
from infomin.data.decode import Decoder, frame
from infomin.data.folder import hold_out, images_below, read_images, split_folders
from infomin.data.images import UNLABELLED, DataSet, ImageSet
from infomin.data.values import take

_SCALE = {torch.uint8: 255, torch.uint16: 65535, torch.float32: 1}
_SHOWN = 3  # files that an error names
Files = Mapping[str, Sequence[Path | None]]
"""Of every view, in the same order of samples; None where it is missing."""


def paired_folders(
    views: Mapping[str, str] | None = None,
    size: int | None = 32,
    test_share: float = 0.2,
    seed: int = 0,
    cache: str | None = None,
    allow_missing: bool = False,
) -> DataSet:
    """Read folders of images into memory, a view each, matched by the names of their files.

    Arguments:
        views: folders by the names of views, two or more; the first is view 1. Folders of classes
            in them give the labels.
        size: side in pixels: shorter side resized (antialiased), centre cropped; None keeps the
            images as they are, which then must be squares of one size.
        test_share: share held out where there are no test folders.
        seed: of that choice.
        cache: folder for the decoded images; None is the user's cache folder.
        allow_missing: use samples that lack views, too: pretraining their pairs of views, a probe
            any view that they have.

    Raises:
        InputError: for fewer than two views, a missing folder, a file without its partner or of
            another shape than it, a view that has no partner at all where that is allowed, or a
            file that cannot be used, by name.
    """
    true_or_false("data.allow_missing", allow_missing)
    if not isinstance(views, Mapping) or len(views) < 2 or not all(views.values()):
        raise InputError(
            "data.views: expected two folders or more by name, such as "
            f"'data.views={{rgb: PATH, depth: PATH}}', got {views and dict(views)}"
        )
    decoder, folders = Decoder(size, grey=True), {}
    for name, where in views.items():
        folders[str(name)] = Path(str(where)).expanduser()
        if not folders[name].is_dir():
            raise InputError(f"data.views.{name}: {where} is not a folder")
    split = {name: split_folders(folder) for name, folder in folders.items()}
    whole = [name for name, (_, test) in split.items() if test is None]
    if 0 < len(whole) < len(split):
        raise InputError(
            f"data.views: {whole[0]} has no train/ and val/ as others have; give all views both, "
            "or none"
        )
    matched = [
        _matched({name: both[i] for name, both in split.items()}, allow_missing)
        for i in range(1 if whole else 2)
    ]
    classes = sorted({sample.parent.name for sample in matched[0][0]} - {""})
    parts = [files for _, files in matched]
    key = {
        "name": "+".join(folders),
        "views": {name: str(folder.resolve()) for name, folder in folders.items()},
        "files": [s for part in parts for paths in part.values() for s in stamps(_there(paths))],
        "options": [size, test_share, seed],
    }

    def build() -> DataSet:
        for part in parts:
            _alike(part)
        train = {name: split[name][0] for name in folders}
        sets = [_stacked(parts[0], train, classes, decoder)]
        if whole:
            chosen = hold_out(len(sets[0][0]), test_share, seed)
            first, second = (sets[0][0].part(index) for index in chosen)
        else:
            test = {name: folder for name, (_, folder) in split.items() if folder is not None}
            sets.append(_stacked(parts[1], test, classes, decoder))
            first, second = (images for images, _ in sets)
        counts = sets[0][1]
        if counts != sets[-1][1]:
            raise InputError(
                f"data.views: training images have {counts} channels by view, test images "
                f"{sets[-1][1]}; expected the same"
            )
        names = [
            name if channels == 1 else f"{name} {i + 1}"
            for name, channels in counts.items()
            for i in range(channels)
        ]
        return DataSet(
            str(key["name"]),
            first,
            second,
            tuple(classes),
            channel_names=tuple(names),
            groups=_groups([*counts.values()]),
        )

    return cached(key, cache, build)


def _matched(
    roots: Mapping[str, Path | None], allow_missing: bool
) -> tuple[list[Path], dict[str, list[Path | None]]]:
    """Return the samples, and the files of every view in their order.

    Raises:
        InputError: naming files without a partner, or two of one sample in a view.
    """
    found: dict[str, dict[Path, Path]] = {}
    for name, root in roots.items():
        assert root is not None
        samples: dict[Path, Path] = {}
        with called("data.root", f"data.views.{name}"):
            paths = images_below(root)
        for path in paths:
            sample = path.relative_to(root).with_suffix("")
            if sample in samples:
                raise InputError(
                    f"data.views.{name}: {samples[sample]} and {path} are one sample; keep one"
                )
            samples[sample] = path
        found[name] = samples
    every = sorted(set().union(*found.values()), key=str)
    counts = ", ".join(f"{name} {len(samples)}" for name, samples in found.items())
    for name, samples in found.items():
        others = set().union(*(theirs for other, theirs in found.items() if other != name))
        if allow_missing and not samples.keys() & others:
            raise InputError(
                f"data.views.{name}: {roots[name]} has no sample in common with another view, such "
                f"as {min(samples)} here and {min(others)} there; images: {counts}"
            )
        missing = [str(sample) for sample in every if sample not in samples]
        if missing and not allow_missing:
            more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
            raise InputError(
                f"data.views.{name}: {roots[name]} has no image of "
                f"{', '.join(missing[:_SHOWN])}{more}, other views have; images: {counts}; "
                "data.allow_missing=true uses what there is"
            )
    return every, {name: [own.get(sample) for sample in every] for name, own in found.items()}


def _alike(part: Files) -> None:
    """Make sure that views of a sample have one shape, so that their pixels lie on one another.

    Raises:
        InputError: naming the first two that differ by a pixel of the smaller one, or more.
    """
    every = [path for paths in part.values() for path in _there(paths)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        frames = dict(zip(every, pool.map(frame, every), strict=True))
    for sample in zip(*part.values(), strict=True):
        seen = [(path, sides) for path in _there(sample) if (sides := frames[path])]
        for path, (height, width) in seen[1:]:
            first, (rows, columns) = seen[0]
            if abs(width / height - columns / rows) * min(height, rows) >= 1:
                raise InputError(
                    f"data.views: {first} is {columns}x{rows}, {path} is {width}x{height}; "
                    "expected one shape for all views of a sample: their pixels lie on one another"
                )


def _there(paths: Sequence[Path | None]) -> list[Path]:
    return [path for path in paths if path is not None]


def _stacked(
    part: Files, roots: Mapping[str, Path], classes: Sequence[str], decoder: Decoder
) -> tuple[ImageSet, dict[str, int]]:
    """Return the channels of all views side by side, with labels and who is there, and counts."""
    images: dict[str, Tensor] = {}
    present = torch.tensor([[p is not None for p in paths] for paths in part.values()]).T
    labels = torch.full((len(present),), UNLABELLED)
    for (name, paths), there in zip(part.items(), present.T, strict=True):
        view, _ = read_images(_there(paths), roots[name], classes, decoder)
        images[name] = _spread(view.images, there)
        labels[there] = view.labels
    sizes = {name: x.shape[-1] for name, x in images.items()}
    if len({*sizes.values()}) > 1:
        told = ", ".join(f"{name} {side}x{side}" for name, side in sizes.items())
        raise InputError(f"data.views: images of different sizes: {told}; set data.size=N")
    if any(x.dtype != torch.uint8 for x in images.values()):
        images = {name: _unit(x) for name, x in images.items()}
    counts = {name: x.shape[1] for name, x in images.items()}
    return ImageSet(torch.cat([*images.values()], 1), labels, present=present), counts


def _spread(images: Tensor, there: Tensor) -> Tensor:
    """Return a view's images at their samples, with zeros where it is missing."""
    place = torch.where(there, there.cumsum(0) - 1, len(images))
    zero = torch.zeros(1, *images.shape[1:], dtype=images.dtype)
    return images if there.all() else take(torch.cat([images, zero]), place)


def _groups(counts: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Return the channels of every view."""
    ends = [*accumulate(counts)]
    return tuple(tuple(range(end - n, end)) for n, end in zip(counts, ends, strict=True))


def _unit(images: Tensor) -> Tensor:
    """Return images as float32 within [0, 1], in chunks."""
    index = torch.arange(len(images))
    parts = [take(images, some) for some in index.split(2048)]
    return torch.cat([part.float() / _SCALE[images.dtype] for part in parts])
