"""NYU Depth V2: rooms in colour and depth (Silberman et al., ECCV 2012), as labelled patches.

Frames lie in `{train,test}/{rgb/*.jpg, depth/*.png, label40/*.png}`, same stem, 320 x 240: colour,
in-filled depth of 8 bits, and 39 classes a pixel, 255 for none. A frame shows many things, so that
images are patches of it, drawn uniformly. The label of a patch is the class that covers more than
half of it. Walls would be four of ten labels: so many patches of each class keep theirs, the rest,
and those of rarer classes, go without one, and serve I_NCE alone.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Int64, UInt8
from PIL import Image
from torch import Tensor

from infomin.core import rng
from infomin.core.errors import InputError, at_least, one_of
from infomin.data.cache import cached, stamps
from infomin.data.images import UNLABELLED, DataSet, ImageSet
from infomin.data.values import fit

CLASSES = (
    *"wall floor cabinet bed chair sofa table door window bookshelf picture counter blinds".split(),
    *"desk shelves curtain dresser pillow mirror floor_mat clothes ceiling books".split(),
    *"refrigerator television paper towel shower_curtain box whiteboard person".split(),
    *"night_stand toilet sink lamp bathtub bag".split(),
)
"""Of NYU40, without other structure, other furniture and other props."""
CHANNELS = {"rgb": ("R", "G", "B"), "rgbd": ("R", "G", "B", "depth")}
_PARTS = (("rgb", ".jpg"), ("depth", ".png"), ("label40", ".png"))
_BORDER = 8  # pixels: a white frame, and what JPEG smears of it


def nyuv2(
    root: str | None = None,
    size: int | None = 32,
    channels: str = "rgbd",
    patch: int = 96,
    patches: int = 16,
    per_class: int = 100,
    seed: int = 0,
    cache: str | None = None,
) -> DataSet:
    """Cut patches out of the frames.

    Arguments:
        root: the folder.
        size: side of the images that come out, in pixels; None keeps that of the patches.
        channels: `rgbd`, or `rgb` without depth.
        patch: side of the patches cut, in pixels of the frames.
        patches: number of each frame.
        per_class: number of training patches of each class that keep their label, and the most of
            test patches; classes with fewer are left out.
        seed: of positions and labels.
        cache: folder for the decoded images; None is the user's cache folder.

    Raises:
        InputError: for a missing folder or file, one that cannot be read, or a number out of range.
    """
    if root is None:
        raise InputError("data.root: expected the folder of train/rgb, train/depth, ..., got none")
    one_of("data.channels", channels, CHANNELS)
    for name, value in (("patch", patch), ("patches", patches), ("per_class", per_class)):
        at_least(f"data.{name}", value, 1)
    folder = Path(root).expanduser()
    frames = [frame_files(folder / split) for split in ("train", "test")]
    key = {
        "name": "nyuv2",
        "files": [stamp for split in frames for frame in split for stamp in stamps(frame)],
        "options": [size, channels, patch, patches, per_class, seed],
    }

    def build() -> DataSet:
        def cut(frame: Sequence[Path]) -> tuple[Tensor, Tensor]:
            generator = rng.generator(seed, "nyuv2", *frame[0].parts[-3:])
            images, labels = _cut(read_frame(frame), patch, patches, generator, frame[0])
            return fit(images[:, : len(CHANNELS[channels])], size), labels

        sets = []
        for split in frames:
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                images, labels = zip(*pool.map(cut, split), strict=True)
            sets.append(ImageSet(torch.cat(images), torch.cat(labels)))
        counts = torch.bincount(sets[0].labelled().labels, minlength=len(CLASSES))
        classes = (counts >= per_class).nonzero().squeeze(1)
        train, test = (
            ImageSet(s.images, _keep(s.labels, classes, per_class, rng.generator(seed, "keep", i)))
            for i, s in enumerate(sets)
        )
        names = tuple(CLASSES[i] for i in classes.tolist())
        return DataSet("nyuv2", train, test, names, channel_names=CHANNELS[channels])

    return cached(key, cache, build)


def frame_files(folder: Path) -> list[list[Path]]:
    """Return the files of every frame of a set: colours, depth and classes.

    Raises:
        InputError: when there are none, or one is missing.
    """
    colors = sorted((folder / "rgb").glob("*.jpg"))
    if not colors:
        raise InputError(f"data.root: no images in {folder / 'rgb'}; expected *.jpg there")
    frames = [[folder / part / f"{c.stem}{suffix}" for part, suffix in _PARTS] for c in colors]
    missing = next((path for frame in frames for path in frame if not path.is_file()), None)
    if missing:
        raise InputError(f"{missing}: no such file, but {missing.parent.parent}/rgb has the frame")
    return frames


def read_frame(frame: Sequence[Path]) -> UInt8[Tensor, "5 h w"]:
    """Return colours, depth and classes of one frame, without its border.

    Raises:
        InputError: for a file that cannot be read, or of another kind or size than expected.
    """
    planes: list[np.ndarray] = []
    for path, mode in zip(frame, ("RGB", "L", "L"), strict=True):
        try:
            with Image.open(path) as image:
                image.load()
        except (OSError, SyntaxError, ValueError) as error:
            raise InputError(f"{path}: cannot be read ({error})") from None
        plane = np.atleast_3d(np.array(image))
        if image.mode != mode or (planes and plane.shape[:2] != planes[0].shape[:2]):
            expected = f"{mode} of the size of {frame[0].name}"
            raise InputError(f"{path}: is {image.mode} {image.size}, expected {expected}")
        planes.append(plane)
    whole = torch.from_numpy(np.concatenate(planes, axis=2))
    return rearrange(whole[_BORDER:-_BORDER, _BORDER:-_BORDER], "h w c -> c h w")


def _cut(
    frame: Tensor, patch: int, count: int, generator: torch.Generator, path: Path
) -> tuple[Tensor, Int64[Tensor, " n"]]:
    """Cut patches at random; a label is the class of more than half of the pixels."""
    height, width = frame.shape[1:]
    if patch > min(height, width):
        raise InputError(
            f"data.patch: expected 1..{min(height, width)} pixels, the inside of {path}, "
            f"got {patch}"
        )
    top = torch.randint(height - patch + 1, (count,), generator=generator).tolist()
    left = torch.randint(width - patch + 1, (count,), generator=generator).tolist()
    cuts = torch.stack(
        [frame[:, t : t + patch, x : x + patch] for t, x in zip(top, left, strict=True)]
    )
    votes = [torch.bincount(cut[4].flatten(), minlength=256)[: len(CLASSES)] for cut in cuts]
    most, label = torch.stack(votes).max(1)
    return cuts[:, :4], label.where(2 * most > patch**2, UNLABELLED)


def _keep(
    labels: Int64[Tensor, " n"], classes: Tensor, most: int, generator: torch.Generator
) -> Int64[Tensor, " n"]:
    """Number these classes from 0 and leave at most so many images of each a label."""
    kept = torch.full_like(labels, UNLABELLED)
    for number, label in enumerate(classes):
        found = (labels == label).nonzero().squeeze(1)
        kept[found[torch.randperm(len(found), generator=generator)[:most]]] = number
    return kept
