"""Image folders as views: files of one stem are one sample, recorded by several sensors.

Each folder holds the images of one view: 8-bit pictures, grey or in colour, 16-bit PNG, TIFF or
`.npy`, with or without `{train,val}/` and classes, as `image_folder` reads them. The path of a file
without its suffix names the sample: `rgb/val/cat/7.jpg` belongs to `depth/val/cat/7.png`. Paths are
compared without regard to capitals and to composed or decomposed Unicode, unless two files of a
view differ only in capitals.

The channels of all views lie side by side. They stay 8-bit if all views are; otherwise they become
float32 in [0, 1]. Samples that lack a view are refused or, where that is allowed, have zeros for
it, and `ImageSet.view_mask` marks the views that they have.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float32, Int64, Num
from torch import Tensor

from infomin.core.errors import InputError, one_of, renamed_option, true_or_false
from infomin.core.files import user_path
from infomin.data.cache import cached, stamps
from infomin.data.decode import Decoder, height_and_width
from infomin.data.image_store import ImageStore
from infomin.data.images import KEEP, DataSet, ImageSet
from infomin.data.items import describe, store_items
from infomin.data.labels import encode, folder_labels
from infomin.data.names import composed, listed, normal_form
from infomin.data.reading import Counter, Progress, in_threads, source
from infomin.data.split import hold_out
from infomin.data.values import resolve_range, size_of
from infomin.data.walk import Listing, Paths, list_images

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
    labels: str = "folders",
    class_level: int | None = None,
    convert: Any = False,
    value_range: Any = None,
    fill: Any = None,
    keep: str = "auto",
    progress: Progress = None,
) -> DataSet:
    """Read one folder of images per view into memory, matched by file names.

    Arguments:
        views: folders by the names of views, at least two; the first is view 1.
        size, test_share, seed, cache, labels, class_level: see `image_folder`.
        allow_missing: use samples that lack views, too: pretraining uses their pairs of views, a
            probe uses every view that they have.
        convert, value_range, fill: see `image_folder`; for all views, or by their names, such as
            {depth: [0, 10000]}. Grey images keep their one channel unless they are converted.
        keep: see `image_folder`.
        progress: takes the number of files that are done, and of all; headers first, then pixels.

    Raises:
        InputError: for fewer than two views, a missing folder, a file without its partner or with
            another shape, a view without any partner where missing views are allowed, or a file
            that cannot be used, by name.
    """
    true_or_false("data.allow_missing", allow_missing)
    one_of("data.keep", keep, KEEP)
    if not isinstance(views, Mapping) or len(views) < 2 or not all(views.values()):
        raise InputError(
            "data.views: expected two folders or more by name, such as "
            f"'data.views={{rgb: PATH, depth: PATH}}', got {views and dict(views)}"
        )
    folders = {str(name): user_path(str(folder)) for name, folder in views.items()}
    for name, folder in folders.items():
        if not folder.is_dir():
            raise InputError(f"data.views.{name}: {folder} is not a folder")
    options = {"convert": convert, "value_range": value_range, "fill": fill}
    decoders = _decoders(size, list(folders), options)
    listings = {name: _list_view(name, folder) for name, folder in folders.items()}
    unsplit = [name for name, listing in listings.items() if len(listing.folders) == 1]
    if 0 < len(unsplit) < len(listings):
        raise InputError(
            f"data.views: {unsplit[0]} has no train/ and val/ as other views have; give all views "
            "both, or none"
        )
    first = next(iter(listings.values()))
    matched = [_match(listings, i, allow_missing) for i in range(len(first.folders))]
    samples = replace(first, folders=(Path(),) * len(matched), paths=tuple(s for s, _ in matched))
    words, remarks = folder_labels(samples, labels, class_level)
    classes, indices = encode(words, [_name_in(part) for part in samples.paths])
    parts = [files for _, files in matched]
    every = [path for part in parts for paths in part.values() for path in _existing(paths)]

    def build(_: ImageStore) -> DataSet:
        _check_shapes(parts, every, Counter(progress, len(every)).add)
        add = Counter(progress, len(every)).add
        sets, counts = zip(
            *(_stack(part, y, decoders, add) for part, y in zip(parts, indices, strict=True)),
            strict=True,
        )
        if unsplit:
            chosen = hold_out(len(sets[0]), test_share, seed, indices[0])
            sets = tuple(sets[0].subset(i) for i in chosen)
        elif counts[0] != counts[1]:
            raise InputError(
                f"data.views: training images have {counts[0]} channels by view, test images "
                f"{counts[1]}; expected the same"
            )
        advice = [line for decoder in decoders.values() for line in decoder.advice()]
        names: list[str] = []
        groups: list[tuple[int, ...]] = []
        for name, channels in counts[0].items():
            groups.append(tuple(range(len(names), len(names) + channels)))
            names += [name] if channels == 1 else [f"{name} {i + 1}" for i in range(channels)]
        return DataSet(
            "+".join(folders),
            train=sets[0],
            test=sets[1],
            classes=classes,
            channel_names=tuple(names),
            groups=tuple(groups),
            advice=tuple(advice),
            resized_from=max((size for d in decoders.values() for size in d.sizes), default=None),
        )

    data = cached(
        cache,
        build,
        name="+".join(folders),
        views={name: str(folder.resolve()) for name, folder in folders.items()},
        files=stamps(every),
        folders=[str(part) for listing in listings.values() for part in listing.folders],
        options=[size, test_share, seed, labels, class_level, options],
    )
    notes = [note for listing in listings.values() for note in listing.left_out.notes()]
    line = describe(data, first.describe(len(data.train), len(data.test)), remarks)
    return replace(data, keep=keep, notes=(line, *notes))


def _list_view(name: str, folder: Path) -> Listing:
    with renamed_option("data.root", f"data.views.{name}"):
        return list_images(folder)


def _decoders(
    size: int | None, views: Sequence[str], options: Mapping[str, Any]
) -> dict[str, Decoder]:
    """Return a decoder for every view; an option is for all views, or maps their names."""
    for option, given in options.items():
        unknown = set(given) - set(views) if isinstance(given, Mapping) else None
        if unknown:
            raise InputError(
                f"data.{option}: expected views of {', '.join(views)}, got {min(unknown)}"
            )

    def of(view: str, option: str) -> Any:
        given = options[option]
        return given.get(view) if isinstance(given, Mapping) else given

    return {
        view: Decoder(
            size,
            bool(of(view, "convert")),
            of(view, "value_range"),
            grey=True,
            fill=of(view, "fill"),
            view=view,
        )
        for view in views
    }


def _match(
    listings: Mapping[str, Listing], number: int, allow_missing: bool
) -> tuple[Paths, dict[str, list[Path | None]]]:
    """Return the samples, and the files of every view in their order; refuse lone files.

    Arguments:
        listings: the images of every view.
        number: 0 for training images, 1 for test images.
        allow_missing: accept samples that lack views.
    """
    roots = {name: listing.folders[number] for name, listing in listings.items()}
    paths = {name: listing.paths[number] for name, listing in listings.items()}
    stems = {
        name: [str(path.relative_to(roots[name]).with_suffix("")) for path in part]
        for name, part in paths.items()
    }
    alike = any(
        len({*map(normal_form, part)}) < len({*map(composed, part)}) for part in stems.values()
    )
    key = composed if alike else normal_form
    spelled: dict[str, str] = {}  # samples by their keys
    files: dict[str, dict[str, Path]] = {}
    for name, part in paths.items():
        samples = files[name] = {}
        for stem, path in zip(stems[name], part, strict=True):
            sample = spelled.setdefault(key(stem), stem)
            if sample in samples:
                raise InputError(
                    f"data.views.{name}: {samples[sample]} and {path} are one sample; keep one"
                )
            samples[sample] = path
    every = sorted(spelled.values())
    counts = ", ".join(f"{name} {len(samples)}" for name, samples in files.items())
    for name, samples in files.items():
        others = set().union(*(other for key, other in files.items() if key != name))
        if allow_missing and not samples.keys() & others:
            raise InputError(
                f"data.views.{name}: {roots[name]} has no sample in common with another view, such "
                f"as {min(samples)} here and {min(others)} there; images: {counts}"
            )
        missing = [sample for sample in every if sample not in samples]
        if missing and not allow_missing:
            raise InputError(
                f"data.views.{name}: {roots[name]} has no image of {listed(missing)}, other views "
                f"have; images: {counts}; data.allow_missing=true uses what there is"
            )
    return Paths(every), {
        name: [own.get(sample) for sample in every] for name, own in files.items()
    }


def _check_shapes(parts: Sequence[Files], every: Sequence[Path], add: Callable[[], None]) -> None:
    """Check by the headers that all views of a sample have one shape, up to a pixel."""
    with in_threads(height_and_width, every, add) as results:
        sizes = dict(zip(every, results, strict=True))
    for sample in (sample for part in parts for sample in zip(*part.values(), strict=True)):
        known = [(path, size) for path in _existing(sample) if (size := sizes[path])]
        if all(_same_shape(size, known[0][1]) for _, size in known):
            continue
        known = [(path, height_and_width(path, load=True) or size) for path, size in known]
        for path, (height, width) in known[1:]:
            first, (rows, columns) = known[0]
            if _same_shape((height, width), (rows, columns)):
                continue
            turned = "; an orientation tag may turn one of them" * _same_shape(
                (width, height), (rows, columns)
            )
            raise InputError(
                f"data.views: {first} is {columns}x{rows}, {path} is {width}x{height}; expected "
                f"one shape for all views of a sample, so that their pixels correspond{turned}"
            )


def _same_shape(a: tuple[int, int], b: tuple[int, int]) -> bool:
    (height, width), (rows, columns) = a, b
    return abs(width / height - columns / rows) * min(height, rows) < 1


def _name_in(samples: Sequence[Path]) -> Callable[[int], str]:
    return lambda i: f"data.views: sample {samples[i]}"


def _existing(paths: Sequence[Path | None]) -> list[Path]:
    return [path for path in paths if path is not None]


def _stack(
    part: Files,
    labels: Int64[Tensor, " n"],
    decoders: Mapping[str, Decoder],
    add: Callable[[], None],
) -> tuple[ImageSet, dict[str, int]]:
    """Return the images with the channels of all views, and the number of channels by view."""
    view_mask = torch.tensor([[p is not None for p in paths] for paths in part.values()]).T
    images: dict[str, Tensor] = {}
    for (name, paths), mask in zip(part.items(), view_mask.T, strict=True):
        present = _existing(paths)
        store = ImageStore(most=len(present))
        store_items(present, f"data.views.{name}", decoders[name], add, store)
        view = store.source.tensor
        images[name] = view.new_zeros(len(mask), *view.shape[1:])
        images[name].numpy()[mask.numpy()] = view.numpy()  # torch has no index of uint16
    if len({x.shape[-1] for x in images.values()}) > 1:
        sizes = ", ".join(f"{name} {size_of(x)}" for name, x in images.items())
        raise InputError(f"data.views: images of different sizes: {sizes}; set data.size=N")
    if any(x.dtype != torch.uint8 for x in images.values()):
        images = {name: _to_unit(x, decoders[name]) for name, x in images.items()}
    counts = {name: x.shape[1] for name, x in images.items()}
    joined = torch.cat([*images.values()], 1)
    return ImageSet.of(joined, labels, view_mask=view_mask), counts


def _to_unit(images: Num[Tensor, "n c h w"], decoder: Decoder) -> Float32[Tensor, "n c h w"]:
    """Return images as float32, their value range scaled to [0, 1], some thousand at a time."""
    if images.dtype == torch.uint8:
        low, width = 0.0, 255.0
    else:
        low, high = resolve_range(decoder.value_range, images.dtype)
        width = high - low
    return torch.cat([(chunk.float() - low) / width for chunk in images.split(2048)])
