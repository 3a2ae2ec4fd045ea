"""Image folders as views: files of one stem are one sample, recorded by several sensors.

Each folder holds the images of one view: 8-bit pictures, grey or in colour, 16-bit PNG, TIFF or
`.npy`, with or without `{train,val}/` and classes, as `image_folder` reads them. The path of a file
without its suffix names the sample: `rgb/val/cat/7.jpg` belongs to `depth/val/cat/7.png`.

The channels of all views lie side by side. They stay 8-bit if all views are; otherwise they become
float32 in [0, 1]. Samples that lack a view are refused or, where that is allowed, have zeros for
it, and `ImageSet.view_mask` marks the views that they have.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from jaxtyping import Float32, Num
from torch import Tensor

from infomin.core.errors import InputError, renamed_option, true_or_false
from infomin.core.files import user_path
from infomin.data.cache import cached, stamps
from infomin.data.decode import Decoder, height_and_width
from infomin.data.folder import images_below, read_images, split_folders
from infomin.data.images import UNLABELLED, DataSet, ImageSet
from infomin.data.reading import Counter, Progress, in_threads, source
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
        size, test_share, seed, cache: see `image_folder`.
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
    folders = {str(name): user_path(str(folder)) for name, folder in views.items()}
    for name, folder in folders.items():
        if not folder.is_dir():
            raise InputError(f"data.views.{name}: {folder} is not a folder")
    splits = {name: split_folders(folder) for name, folder in folders.items()}
    unsplit = [name for name, roots in splits.items() if len(roots) == 1]
    if 0 < len(unsplit) < len(splits):
        raise InputError(
            f"data.views: {unsplit[0]} has no train/ and val/ as other views have; give all views "
            "both, or none"
        )
    roots = [dict(zip(splits, part, strict=True)) for part in zip(*splits.values(), strict=True)]
    matched = [_match(root, allow_missing) for root in roots]
    classes = sorted({sample.parent.name for sample in matched[0][0]} - {""})
    parts = [files for _, files in matched]
    every = [path for part in parts for paths in part.values() for path in _existing(paths)]

    def build() -> DataSet:
        _check_shapes(parts, every, Counter(progress, len(every)).add)
        add = Counter(progress, len(every)).add
        sets, counts = zip(
            *(
                _stack(part, root, classes, decoder, add)
                for part, root in zip(parts, roots, strict=True)
            ),
            strict=True,
        )
        if unsplit:
            sets = tuple(sets[0].subset(i) for i in hold_out(len(sets[0]), test_share, seed))
        elif counts[0] != counts[1]:
            raise InputError(
                f"data.views: training images have {counts[0]} channels by view, test images "
                f"{counts[1]}; expected the same"
            )
        names: list[str] = []
        groups: list[tuple[int, ...]] = []
        for name, channels in counts[0].items():
            groups.append(tuple(range(len(names), len(names) + channels)))
            names += [name] if channels == 1 else [f"{name} {i + 1}" for i in range(channels)]
        return DataSet(
            "+".join(folders),
            train=sets[0],
            test=sets[1],
            classes=tuple(classes),
            channel_names=tuple(names),
            groups=tuple(groups),
        )

    return cached(
        cache,
        build,
        name="+".join(folders),
        views={name: str(folder.resolve()) for name, folder in folders.items()},
        files=stamps(every),
        options=[size, test_share, seed],
    )


def _match(
    roots: Mapping[str, Path], allow_missing: bool
) -> tuple[list[Path], dict[str, list[Path | None]]]:
    """Return the samples, and the files of every view in their order; refuse lone files."""
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
    """Check by the headers that all views of a sample have one shape, up to a pixel."""
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
    view_mask = torch.tensor([[p is not None for p in paths] for paths in part.values()]).T
    labels = torch.full((len(view_mask),), UNLABELLED)
    images: dict[str, Tensor] = {}
    for (name, paths), mask in zip(part.items(), view_mask.T, strict=True):
        view = read_images(_existing(paths), roots[name], classes, decoder, add)
        images[name] = view.images.new_zeros(len(mask), *view.images.shape[1:])
        images[name].numpy()[mask.numpy()] = view.images.numpy()  # torch has no index of uint16
        labels[mask] = view.labels
    if len({x.shape[-1] for x in images.values()}) > 1:
        sizes = ", ".join(f"{name} {size_of(x)}" for name, x in images.items())
        raise InputError(f"data.views: images of different sizes: {sizes}; set data.size=N")
    if any(x.dtype != torch.uint8 for x in images.values()):
        images = {name: _to_unit(x) for name, x in images.items()}
    counts = {name: x.shape[1] for name, x in images.items()}
    return ImageSet(torch.cat([*images.values()], 1), labels, view_mask=view_mask), counts


def _to_unit(images: Num[Tensor, "n c h w"]) -> Float32[Tensor, "n c h w"]:
    """Return images as float32 in [0, 1], some thousand at a time."""
    return torch.cat([chunk.float() / _SCALE[images.dtype] for chunk in images.split(2048)])
