"""NYU Depth V2: rooms in colour and depth (Silberman et al., ECCV 2012), as patches and frames.

Frames are `{train,test}/{rgb/*.jpg, depth/*.png, label40/*.png}`, same stem, 320 x 240: colour,
in-filled depth of 8 bits, and a class of NYU40 for each pixel, from 0, or 255 for none.

A frame shows many things, so the images are patches of it at uniformly random places. The label of
a patch is the class of more than half of its pixels. Walls are four of ten such labels. Therefore
only `per_class` patches of each class keep their label. The others, and those of rare classes,
serve I_NCE and pretraining without one.

Segmentation takes whole frames, with a class for each pixel.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor
from torch.nn import functional as F

from infomin.core import rng
from infomin.core.errors import InputError, at_least, one_of, whole_number
from infomin.data.cache import cached, stamps
from infomin.data.decode import Decoder
from infomin.data.image_store import ImageStore
from infomin.data.images import UNLABELLED, DataSet, ImageSet
from infomin.data.names import is_hidden
from infomin.data.reading import Counter, Progress, in_threads, random_patches, root_folder, source
from infomin.data.values import kind_of, resize_to_square, size_of

CLASSES = (
    *"wall floor cabinet bed chair sofa table door window bookshelf picture counter blinds".split(),
    *"desk shelves curtain dresser pillow mirror floor_mat clothes ceiling books".split(),
    *"refrigerator television paper towel shower_curtain box whiteboard person".split(),
    *"night_stand toilet sink lamp bathtub bag".split(),
)
"""Classes of patches: NYU40 without other structure, other furniture and other props."""
ALL_CLASSES = (*CLASSES, "other_structure", "other_furniture")
"""Classes of pixels: NYU40 without other props."""
IGNORED = 255
"""Label of ignored pixels."""
CHANNELS = {"rgb": ("R", "G", "B"), "rgbd": ("R", "G", "B", "depth")}
_PARTS = (("rgb", ".jpg"), ("depth", ".png"), ("label40", ".png"))
_BORDER = 8  # pixels: a white frame, and its JPEG artefacts


@dataclass(frozen=True)
class Frames:
    """Training and test frames with a label for each pixel.

    Attributes:
        images: the frames, unlabelled as a whole.
        train, test: labels of their pixels, which index `classes`, or `IGNORED`.
        classes: class names.
    """

    images: DataSet
    train: UInt8[Tensor, "n h w"]
    test: UInt8[Tensor, "m h w"]
    classes: tuple[str, ...]


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
    one_of("data.channels", channels, CHANNELS)
    for name, value in (("patch", patch), ("patches", patches), ("per_class", per_class)):
        at_least(f"data.{name}", value, 1)
    splits = _frame_files(root)

    def cut(frame: Sequence[Path]) -> tuple[Tensor, Tensor]:
        generator = rng.generator(seed, "nyuv2", *frame[0].parts[-3:])
        name = f"{frame[0]} without its border"
        cuts = random_patches(_read_frame(frame), patch, patches, generator, "data.patch", name)
        return resize_to_square(cuts[:, : len(CHANNELS[channels])], size), _main_class(cuts[:, 4])

    def build(_: ImageStore) -> DataSet:
        parts = _read_splits(cut, splits, progress)
        labels = parts[0][1]
        counts = torch.bincount(labels[labels != UNLABELLED], minlength=len(CLASSES))
        classes = (counts >= per_class).nonzero().squeeze(1)
        train, test = (
            ImageSet.of(x, _keep(y, classes, per_class, rng.generator(seed, "keep", i)))
            for i, (x, y) in enumerate(parts)
        )
        names = tuple(CLASSES[i] for i in classes.tolist())
        return DataSet("nyuv2", train, test, names, channel_names=CHANNELS[channels])

    return cached(
        cache,
        build,
        name="nyuv2",
        files=stamps([path for split in splits for frame in split for path in frame]),
        options=[size, channels, patch, patches, per_class, seed],
    )


def nyuv2_frames(
    root: str | None = None,
    height: int = 72,
    width: int = 96,
    channels: str = "rgb",
    progress: Progress = None,
) -> Frames:
    """Read whole frames into memory, without their white border, and resize them.

    Images are resized with antialiasing; labels are those of the nearest pixel.

    Arguments:
        height, width: size of the resulting frames, in pixels; files have 224 x 304 inside their
            border.
        root, channels, progress: see `nyuv2`.

    Raises:
        InputError: as `nyuv2`, and for an unknown class.
    """
    one_of("data.channels", channels, CHANNELS)
    whole_number("data.height", height, 1)
    whole_number("data.width", width, 1)
    size = (height, width)

    def read(frame: Sequence[Path]) -> tuple[Tensor, Tensor]:
        planes = _read_frame(frame)[None]
        images, labels = planes[:, : len(CHANNELS[channels])], planes[:, 4:]
        known = labels[labels != IGNORED]
        if known.numel() and known.max() >= len(ALL_CLASSES):
            raise InputError(
                f"{frame[2]}: holds class {known.max()}, expected 0..{len(ALL_CLASSES) - 1}, or "
                f"{IGNORED} for none"
            )
        images = F.interpolate(images.float(), size, mode="bilinear", antialias=True)
        return images.round().byte(), F.interpolate(labels, size, mode="nearest-exact")[:, 0]

    parts = _read_splits(read, _frame_files(root), progress)
    train, test = (ImageSet.of(x, torch.full((len(x),), UNLABELLED)) for x, _ in parts)
    data = DataSet("nyuv2", train, test, (), channel_names=CHANNELS[channels])
    return Frames(data, parts[0][1], parts[1][1], ALL_CLASSES)


def _frame_files(root: str | None) -> list[list[list[Path]]]:
    """Return the files of every frame, colours, depth and classes, of training and of test."""
    folder = root_folder(root, "of train/rgb, train/depth, train/label40, ...")
    splits = []
    for split in (folder / "train", folder / "test"):
        colors = sorted(p for p in (split / "rgb").glob("*.jpg") if not is_hidden(p.name))
        if not colors:
            raise InputError(f"data.root: no images in {split / 'rgb'}; expected *.jpg there")
        frames = [[split / part / f"{c.stem}{suffix}" for part, suffix in _PARTS] for c in colors]
        for path in (path for frame in frames for path in frame):
            if not path.is_file():
                raise InputError(f"{path}: no such file, but {split}/rgb has this frame")
        splits.append(frames)
    return splits


def _read_splits(
    read: Callable[[Sequence[Path]], tuple[Tensor, Tensor]],
    splits: Sequence[Sequence[Sequence[Path]]],
    progress: Progress,
) -> list[tuple[Tensor, Tensor]]:
    """Read images and labels of all frames, of training and of test."""
    counter = Counter(progress, sum(map(len, splits)))
    parts = []
    for frames in splits:
        with in_threads(read, frames, counter.add) as results:
            images, labels = zip(*results, strict=True)
        parts.append((torch.cat(images), torch.cat(labels)))
    return parts


def _read_frame(frame: Sequence[Path]) -> UInt8[Tensor, "5 h w"]:
    """Return colours, depth and classes of one frame, without its border."""
    decoder = Decoder(None, grey=True)
    planes: list[Tensor] = []
    for path, channels in zip(frame, (3, 1, 1), strict=True):
        plane = decoder(path)
        expected = (channels, *(planes[0] if planes else plane).shape[1:])
        if plane.dtype != torch.uint8 or plane.shape != expected:
            raise InputError(
                f"{path}: is {kind_of(plane)}, {size_of(plane)}, expected {channels} of uint8, of "
                f"the size of {frame[0].name}"
            )
        planes.append(plane)
    return torch.cat(planes)[:, _BORDER:-_BORDER, _BORDER:-_BORDER]


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
