"""Windows of large photographs of any size and aspect: Kodak's 24, DIV2K, your own.

Images stay resident as one tensor of one size, which photographs of both orientations cannot be
without losing something. Windows can: squares of one side, many of each photograph, at places
drawn uniformly, in its own pixels. They have no labels; they serve I_NCE and pretraining.

Test windows come from other photographs than training windows. Windows of one photograph overlap,
and several of them in one batch are negatives of one another: K counts pairs, not photographs, and
so does the interval beside a held-out I_NCE.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from infomin.core import rng
from infomin.core.errors import InputError, whole_number
from infomin.data import values
from infomin.data.cache import cached, stamps
from infomin.data.decode import Decoder
from infomin.data.folder import hold_out, image_root, images_below, kind, split_folders
from infomin.data.images import UNLABELLED, DataSet, ImageSet


def windows(
    root: str | None = None,
    size: int = 192,
    each: int = 64,
    convert: bool = False,
    test_share: float = 0.25,
    seed: int = 0,
    cache: str | None = None,
) -> DataSet:
    """Cut windows out of all photographs in a folder and below it.

    With `train/` and `val/` (or `test/`) inside, those are the two sets of photographs; otherwise
    a seeded share of them is held out for test.

    Arguments:
        root: the folder.
        size: side of the windows, in pixels of the photographs.
        each: number of windows of each photograph.
        convert: turn grey photographs into three equal channels and drop alpha; refused otherwise.
        test_share: share of the photographs held out where there is no test folder.
        seed: of that choice, and of the places.
        cache: folder for the windows; None is the user's cache folder.

    Raises:
        InputError: for a missing folder, a photograph that cannot be read, is smaller than a
            window or of another kind than the first, or a number out of range.
    """
    whole_number("data.size", size, 1)
    whole_number("data.each", each, 1)
    folder = image_root(root)
    first, second = split_folders(folder)
    train = images_below(first)
    test = images_below(second) if second else []
    if not test:
        chosen = hold_out(len(train), test_share, seed)
        train, test = ([train[i] for i in part.tolist()] for part in chosen)
    key = {
        "name": folder.resolve().name,
        "root": str(folder.resolve()),
        "files": [stamp for part in (train, test) for stamp in stamps(part)],
        "options": ["windows", size, each, convert, test_share, seed],
    }
    decoder = Decoder(None, convert)

    def cut(path: Path) -> Tensor:
        photograph = decoder(path)
        if isinstance(photograph, Exception):
            raise InputError(f"{path}: cannot be read ({photograph})")
        where = path.relative_to(folder).as_posix()
        return _cut(photograph, size, each, rng.generator(seed, "windows", where), path)

    def build() -> DataSet:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = list(pool.map(cut, [*train, *test]))
        for path, images in zip([*train, *test], found, strict=True):
            if kind(images) != kind(found[0]):
                raise InputError(
                    f"{path}: is {kind(images)}, {train[0]} is {kind(found[0])}; expected one kind"
                )
        sets = [
            ImageSet(torch.cat(part), torch.full((len(part) * each,), UNLABELLED))
            for part in (found[: len(train)], found[len(train) :])
        ]
        value_range = values.declared(None, found[0].dtype)
        return DataSet(str(key["name"]), sets[0], sets[1], (), value_range=value_range)

    return cached(key, cache, build)


def _cut(
    photograph: Tensor, size: int, each: int, generator: torch.Generator, path: Path
) -> Tensor:
    height, width = photograph.shape[1:]
    if size > min(height, width):
        raise InputError(
            f"data.size: expected 1..{min(height, width)} pixels, the shorter side of {path}, "
            f"got {size}"
        )
    top = torch.randint(height - size + 1, (each,), generator=generator).tolist()
    left = torch.randint(width - size + 1, (each,), generator=generator).tolist()
    return torch.stack(
        [photograph[:, t : t + size, x : x + size] for t, x in zip(top, left, strict=True)]
    )
