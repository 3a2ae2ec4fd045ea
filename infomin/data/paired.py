"""Image folders as views: files of one stem are one sample, recorded by several sensors.

Each folder holds the images of one view: 8-bit pictures, grey or in colour, 16-bit PNG, TIFF or
`.npy`, with or without `{train,val}/` and classes, as `image_folder` reads them. The path of a file
without its suffix names the sample: `rgb/val/cat/7.jpg` belongs to `depth/val/cat/7.png`.

The channels of all views lie side by side. They stay 8-bit if all views are; otherwise they become
float32 in [0, 1]. Samples that lack a view are refused or, where that is allowed, have zeros for
it, and `ImageSet.view_mask` marks the views that they have.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path

import torch
from jaxtyping import Bool, Num
from torch import Tensor

from infomin.core.batching import take
from infomin.core.errors import InputError, renamed_option, true_or_false
from infomin.data.cache import cached, stamps
from infomin.data.decode import Decoder, height_and_width
from infomin.data.folder import images_below, read_images, split_folders
from infomin.data.images import UNLABELLED, DataSet, ImageSet
from infomin.data.reading import Counter, Progress, in_threads
from infomin.data.registry import source
from infomin.data.split import hold_out
from infomin.data.values import size_of

_SCALE = {torch.uint8: 255, torch.uint16: 65535, torch.float32: 1}
_SHOWN = 3  # files that an error names
Files = Mapping[str, Sequence[Path | None]]
"""Files of every view, in the same order of samples; None is a missing file."""


@source
def paired_folders(
    views: Mapping[str, str] | None = None,
    size: int | None = 32,
    test_share: float = 0.2,
    seed: int = 0,
    cache: str | None = None,
    allow_missing: bool = False,
    progress: Progress = None,
) -> DataSet:
    """Read one folder of images per view into memory, matched by file names.

    Arguments:
        views: folders by the names of views, at least two; the first is view 1. Their subfolders
            are classes.
        size: side in pixels: shorter side resized (antialiased), centre cropped; None keeps images,
            which then must be squares of one size.
        test_share: share held out where there are no test folders.
        seed: of that choice.
        cache: folder for the decoded images; None is the user's cache folder.
        allow_missing: use samples that lack views, too: pretraining uses their pairs of views, a
            probe uses every view that they have.
        progress: takes the number of files that are done, and of all; headers first, then pixels.

    Raises:
        InputError: for fewer than two views, a missing folder, a file without its partner or with
            another shape, a view without any partner where missing views are allowed, or a file
            that cannot be used, by name.
    """
    true_or_false("data.allow_missing", allow_missing)
    if not isinstance(views, Mapping) or len(views) < 2 or not all(views.values()):
        raise InputError(
            "data.views: expected two folders or more by name, such as "
            f"'data.views={{rgb: PATH, depth: PATH}}', got {views and dict(views)}"
        )
    decoder = Decoder(size, grey=True)
    folders = {str(name): Path(str(folder)).expanduser() for name, folder in views.items()}
    for name, folder in folders.items():
        if not folder.is_dir():
            raise InputError(f"data.views.{name}: {folder} is not a folder")
    splits = {name: split_folders(folder) for name, folder in folders.items()}
    unsplit = [name for name, (_, test) in splits.items() if test is None]
    if 0 < len(unsplit) < len(splits):
        raise InputError(
            f"data.views: {unsplit[0]} has no train/ and val/ as other views have; give all views "
            "both, or none"
        )
    roots = [{name: split[0] for name, split in splits.items()}]
    if not unsplit:
        roots.append({name: test for name, (_, test) in splits.items() if test is not None})
    matched = [_match(root, allow_missing) for root in roots]
    classes = sorted({sample.parent.name for sample in matched[0][0]} - {""})
    parts = [files for _, files in matched]
    every = [path for part in parts for paths in part.values() for path in _existing(paths)]
    key = {
        "name": "+".join(folders),
        "views": {name: str(folder.resolve()) for name, folder in folders.items()},
        "files": stamps(every),
        "options": [size, test_share, seed],
    }

    def build() -> DataSet:
        _check_shapes(parts, every, Counter(progress, len(every)).add)
        add = Counter(progress, len(every)).add
        sets = [
            _stack(part, root, classes, decoder, add)
            for part, root in zip(parts, roots, strict=True)
        ]
        train, counts = sets[0]
        if unsplit:
            train, test = (train.subset(i) for i in hold_out(len(train), test_share, seed))
        else:
            test, test_counts = sets[1]
            if counts != test_counts:
                raise InputError(
                    f"data.views: training images have {counts} channels by view, test images "
                    f"{test_counts}; expected the same"
                )
        names = [
            name if channels == 1 else f"{name} {i + 1}"
            for name, channels in counts.items()
            for i in range(channels)
        ]
        ends = list(accumulate(counts.values()))
        return DataSet(
            str(key["name"]),
            train=train,
            test=test,
            classes=tuple(classes),
            channel_names=tuple(names),
            groups=tuple(
                tuple(range(end - n, end)) for n, end in zip(counts.values(), ends, strict=True)
            ),
        )

    return cached(key, cache, build)


def _match(
    roots: Mapping[str, Path], allow_missing: bool
) -> tuple[list[Path], dict[str, list[Path | None]]]:
    """Return the samples, and the files of every view in their order.

    Raises:
        InputError: for files without a partner, or two files of one sample in a view, by name.
    """
    files: dict[str, dict[Path, Path]] = {}
    for name, root in roots.items():
        samples: dict[Path, Path] = {}
        with renamed_option("data.root", f"data.views.{name}"):
            paths = images_below(root)
        for path in paths:
            sample = path.relative_to(root).with_suffix("")
            if sample in samples:
                raise InputError(
                    f"data.views.{name}: {samples[sample]} and {path} are one sample; keep one"
                )
            samples[sample] = path
        files[name] = samples
    every = sorted(set().union(*files.values()), key=str)
    counts = ", ".join(f"{name} {len(samples)}" for name, samples in files.items())
    for name, samples in files.items():
        others = set().union(*(other for key, other in files.items() if key != name))
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
    return every, {name: [own.get(sample) for sample in every] for name, own in files.items()}


def _check_shapes(parts: Sequence[Files], every: Sequence[Path], add: Callable[[], None]) -> None:
    """Check by the headers that all views of a sample have one shape, so that pixels correspond.

    Raises:
        InputError: for the first two that differ by at least a pixel of the smaller one.
    """
    with in_threads(height_and_width, every, add) as results:
        sizes = dict(zip(every, results, strict=True))
    for sample in (sample for part in parts for sample in zip(*part.values(), strict=True)):
        known = [(path, size) for path in _existing(sample) if (size := sizes[path])]
        for path, (height, width) in known[1:]:
            first, (rows, columns) = known[0]
            if abs(width / height - columns / rows) * min(height, rows) >= 1:
                raise InputError(
                    f"data.views: {first} is {columns}x{rows}, {path} is {width}x{height}; "
                    "expected one shape for all views of a sample, so that their pixels correspond"
                )


def _existing(paths: Sequence[Path | None]) -> list[Path]:
    return [path for path in paths if path is not None]


def _stack(
    part: Files,
    roots: Mapping[str, Path],
    classes: Sequence[str],
    decoder: Decoder,
    add: Callable[[], None],
) -> tuple[ImageSet, dict[str, int]]:
    """Return the images with the channels of all views, and the number of channels by view."""
    images: dict[str, Tensor] = {}
    view_mask = torch.tensor([[p is not None for p in paths] for paths in part.values()]).T
    labels = torch.full((len(view_mask),), UNLABELLED)
    for (name, paths), mask in zip(part.items(), view_mask.T, strict=True):
        view, _ = read_images(_existing(paths), roots[name], classes, decoder, add)
        images[name] = _insert_missing(view.images, mask)
        labels[mask] = view.labels
    if len({x.shape[-1] for x in images.values()}) > 1:
        sizes = ", ".join(f"{name} {size_of(x)}" for name, x in images.items())
        raise InputError(f"data.views: images of different sizes: {sizes}; set data.size=N")
    if any(x.dtype != torch.uint8 for x in images.values()):
        images = {name: _to_unit(x) for name, x in images.items()}
    counts = {name: x.shape[1] for name, x in images.items()}
    return ImageSet(torch.cat([*images.values()], 1), labels, view_mask=view_mask), counts


def _insert_missing(
    images: Num[Tensor, "m c h w"], mask: Bool[Tensor, " n"]
) -> Num[Tensor, "n c h w"]:
    """Return the images of a view at their samples, and zeros at those that lack it."""
    if mask.all():
        return images
    index = torch.where(mask, mask.cumsum(0) - 1, len(images))
    return take(torch.cat([images, images.new_zeros(1, *images.shape[1:])]), index)


def _to_unit(images: Num[Tensor, "n c h w"]) -> Num[Tensor, "n c h w"]:
    """Return images as float32 in [0, 1], some thousand at a time."""
    chunks = (take(images, index) for index in torch.arange(len(images)).split(2048))
    return torch.cat([chunk.float() / _SCALE[images.dtype] for chunk in chunks])
