"""NYU Depth V2: rooms in colour and depth (Silberman et al., ECCV 2012), as labelled patches.

Frames are `{train,test}/{rgb/*.jpg, depth/*.png, label40/*.png}`, same stem, 320 x 240: colour,
in-filled depth of 8 bits, and a class for each pixel, 0..38, or 255 for none.

A frame shows many things, so the images are patches of it at uniformly random places. The label of
a patch is the class of more than half of its pixels. Walls are four of ten such labels. Therefore
only `per_class` patches of each class keep their label. The others, and those of rare classes,
serve I_NCE and pretraining without one.
"""

from collections.abc import Sequence
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
from infomin.data.patches import random_patches
from infomin.data.reading import Counter, Progress, in_threads
from infomin.data.registry import source
from infomin.data.values import resize_to_square

CLASSES = (
    *"wall floor cabinet bed chair sofa table door window bookshelf picture counter blinds".split(),
    *"desk shelves curtain dresser pillow mirror floor_mat clothes ceiling books".split(),
    *"refrigerator television paper towel shower_curtain box whiteboard person".split(),
    *"night_stand toilet sink lamp bathtub bag".split(),
)
"""Classes of NYU40, without other structure, other furniture and other props."""
CHANNELS = {"rgb": ("R", "G", "B"), "rgbd": ("R", "G", "B", "depth")}
_PARTS = (("rgb", ".jpg"), ("depth", ".png"), ("label40", ".png"))
_BORDER = 8  # pixels: a white frame, and its JPEG artefacts


@source
def nyuv2(
    root: str | None = None,
    size: int | None = 32,
    channels: str = "rgbd",
    patch: int = 96,
    patches: int = 16,
    per_class: int = 100,
    seed: int = 0,
    cache: str | None = None,
    progress: Progress = None,
) -> DataSet:
    """Cut patches out of the frames.

    Arguments:
        root: the folder.
        size: side of the resulting images, in pixels; None keeps the patches.
        channels: `rgbd`, or `rgb` without depth.
        patch: side of the patches, in pixels of the frames.
        patches: number of patches of each frame.
        per_class: number of training patches of each class that keep their label, and largest
            number of test patches; classes with fewer training patches are left out.
        seed: of places and labels.
        cache: folder for the decoded images; None is the user's cache folder.
        progress: takes the number of frames that are done, and of all.

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

    def cut(frame: Sequence[Path]) -> tuple[Tensor, Tensor]:
        generator = rng.generator(seed, "nyuv2", *frame[0].parts[-3:])
        name = f"{frame[0]} without its border"
        cuts = random_patches(read_frame(frame), patch, patches, generator, "data.patch", name)
        return resize_to_square(cuts[:, : len(CHANNELS[channels])], size), _main_class(cuts[:, 4])

    def build() -> DataSet:
        counter = Counter(progress, sum(map(len, frames)))
        images: list[Tensor] = []
        labels: list[Tensor] = []
        for split in frames:
            with in_threads(cut, split, counter.add) as results:
                of_split = list(results)
            images.append(torch.cat([cuts for cuts, _ in of_split]))
            labels.append(torch.cat([classes for _, classes in of_split]))
        counts = torch.bincount(labels[0][labels[0] != UNLABELLED], minlength=len(CLASSES))
        classes = (counts >= per_class).nonzero().squeeze(1)
        train, test = (
            ImageSet(x, _keep(y, classes, per_class, rng.generator(seed, "keep", i)))
            for i, (x, y) in enumerate(zip(images, labels, strict=True))
        )
        names = tuple(CLASSES[i] for i in classes.tolist())
        return DataSet("nyuv2", train, test, names, channel_names=CHANNELS[channels])

    return cached(key, cache, build)


def frame_files(folder: Path) -> list[list[Path]]:
    """Return the files of every frame in a folder: colours, depth and classes.

    Raises:
        InputError: for a folder without frames, or a missing file.
    """
    colors = sorted((folder / "rgb").glob("*.jpg"))
    if not colors:
        raise InputError(f"data.root: no images in {folder / 'rgb'}; expected *.jpg there")
    frames = [[folder / part / f"{c.stem}{suffix}" for part, suffix in _PARTS] for c in colors]
    missing = next((path for frame in frames for path in frame if not path.is_file()), None)
    if missing:
        raise InputError(f"{missing}: no such file, but {missing.parent.parent}/rgb has this frame")
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
    pixels = torch.from_numpy(np.concatenate(planes, axis=2))
    return rearrange(pixels[_BORDER:-_BORDER, _BORDER:-_BORDER], "h w c -> c h w")


def _main_class(labels: UInt8[Tensor, "n h w"]) -> Int64[Tensor, " n"]:
    """Return the class of more than half of the pixels of each patch, or none."""
    counts = [torch.bincount(patch.flatten(), minlength=256)[: len(CLASSES)] for patch in labels]
    most, label = torch.stack(counts).max(1)
    return label.where(2 * most > labels[0].numel(), UNLABELLED)


def _keep(
    labels: Int64[Tensor, " n"],
    classes: Int64[Tensor, " c"],
    most: int,
    generator: torch.Generator,
) -> Int64[Tensor, " n"]:
    """Number some classes from 0, and keep the labels of at most `most` random images of each."""
    kept = torch.full_like(labels, UNLABELLED)
    for number, label in enumerate(classes):
        index = (labels == label).nonzero().squeeze(1)
        kept[index[torch.randperm(len(index), generator=generator)[:most]]] = number
    return kept
