"""Windows of large photographs of any size and aspect: Kodak's 24, DIV2K, your own.

Images in memory are one tensor of one size. Photographs of both orientations do not fit into it
without a loss, but windows of them do: many squares of one side from each photograph, at uniformly
random places, in its own pixels. They have no labels. They serve I_NCE and pretraining.

Test windows come from other photographs than training windows. Windows of one photograph overlap,
and several of them in a batch are negatives of one another. So K counts pairs, not photographs, and
so does the interval of a held-out I_NCE.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from infomin.core import rng
from infomin.core.errors import whole_number
from infomin.data.cache import cached, stamps
from infomin.data.decode import Decoder
from infomin.data.image_store import ImageStore
from infomin.data.images import UNLABELLED, DataSet, ImageSet
from infomin.data.reading import Counter, Progress, in_threads, random_patches, root_folder, source
from infomin.data.split import hold_out
from infomin.data.walk import list_images


@source
def windows(
    root: str | None = None,
    size: int = 192,
    each: int = 64,
    convert: bool = False,
    value_range: Sequence[float] | None = None,
    fill: float | None = None,
    test_share: float = 0.25,
    seed: int = 0,
    cache: str | None = None,
    progress: Progress = None,
) -> DataSet:
    """Cut windows out of all photographs in a folder and below it.

    With `train/` and `val/` (or `test/`) inside, those are the two sets of photographs. Otherwise
    a seeded share of them is held out for test.

    Arguments:
        root: the folder.
        size: side of the windows, in pixels of the photographs.
        each: number of windows of each photograph.
        seed: of the places, and of the photographs that are held out.
        convert, value_range, fill, test_share, cache, progress: see `image_folder`.

    Raises:
        InputError: for a missing folder, a photograph that cannot be read, is smaller than a
            window or of another kind than the first, or a number out of range.
    """
    whole_number("data.size", size, 1)
    whole_number("data.each", each, 1)
    folder = root_folder(root, "that holds the images")
    listing = list_images(folder)
    parts: list[Sequence[Path]] = [*listing.paths]
    if len(parts) == 1:
        chosen = hold_out(len(parts[0]), test_share, seed)
        parts = [[parts[0][i] for i in index.tolist()] for index in chosen]
    paths = [path for part in parts for path in part]
    name = folder.resolve().name
    decoder = Decoder(None, convert, value_range, fill=fill)

    def cut(path: Path) -> Tensor:
        generator = rng.generator(seed, "windows", path.relative_to(folder).as_posix())
        return random_patches(decoder(path), size, each, generator, "data.size", str(path))

    def build(store: ImageStore) -> DataSet:
        with in_threads(cut, paths, Counter(progress, len(paths)).add) as results:
            for path, cuts in zip(paths, results, strict=True):
                for window in cuts:
                    store.add(window, str(path))
        images, first = store.source, len(parts[0]) * each
        train, test = (
            ImageSet(images.subset(rows), torch.full((len(rows),), UNLABELLED))
            for rows in (torch.arange(first), torch.arange(first, images.shape[0]))
        )
        return DataSet(name, train, test, (), **decoder.facts(images.dtype))

    data = cached(
        cache,
        build,
        len(paths) * each,
        name=name,
        root=str(folder.resolve()),
        files=stamps(paths),
        options=["windows", size, each, convert, value_range, fill, test_share, seed],
    )
    sets = listing.describe(len(parts[0]), len(parts[1]), "photographs")
    return replace(data, notes=(f"data {name}: {sets}", *listing.left_out.notes()))
