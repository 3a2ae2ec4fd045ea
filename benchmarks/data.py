"""Batches of a folder of JPEG images: from memory, from a mapped file, decoded on demand.

Ours: `image_folder` with `keep` device, mapped and files, read in shuffled batches of 256. The
rival: torchvision's ImageFolder with resize and centre crop in a DataLoader with 2 workers. Both
decode with Pillow, on 2 cores, to 8-bit batches `b c h w`: 2,048 images of 320 x 240 pixels, as 32,
96 and 224 pixels.

Targets: files 1.5 x, mapped 5 x the DataLoader.
"""

import tempfile
import time
from collections.abc import Callable, Iterable, Sized
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from rows import Row, main
from timing import Measure, interleaved
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from infomin.data import Batches
from infomin.data.folder import image_folder
from infomin.data.photos import photos
from infomin.data.source import Source

BATCH, CPU = 256, torch.device("cpu")
KEEPS = {"device": "memory", "mapped": "mapped file", "files": "decoded on demand"}
TARGETS = {"device": 5.0, "mapped": 5.0, "files": 1.5}


def make(folder: Path, number: int) -> None:
    """Write JPEG images of 320 x 240 pixels, of two classes."""
    images = photos(size=240, patch=128, train=number, test=8).train.images
    for i, image in enumerate(images):
        path = folder / str(i % 2) / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(image.permute(1, 2, 0).numpy()).resize((320, 240))
        picture.save(path, quality=90)


def epochs(batches: Callable[[], Iterable[Sized]], number: int) -> Measure:
    """Return a contender: images per second of whole epochs, with no batch ready at the start."""

    def measure() -> float:
        began, images = time.perf_counter(), 0
        for _ in range(number):
            images += sum(map(len, batches()))
        return images / (time.perf_counter() - began)

    return measure


def shuffled(source: Source) -> Callable[[], Iterable[Tensor]]:
    """Return a function that reads an epoch of batches."""
    order = Batches(len(source), BATCH, 0, "benchmark")
    return lambda: source.read([order(step) for step in range(order.per_epoch)])


def first_of_pairs(loader: DataLoader[Any]) -> Iterable[Tensor]:
    """Return the images of an epoch, without their labels."""
    return (images for images, _ in loader)


def measure(quick: bool) -> list[Row]:
    """Measure all sizes."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        root, number = Path(name), 512 if quick else 2048
        make(root / "set", number)
        for size in (32,) if quick else (32, 96, 224):
            contenders = {}
            for keep in KEEPS:
                folder, cache = str(root / "set"), str(root / "cache")
                data = image_folder(folder, size, test_share=0.1, cache=cache, keep=keep)
                source = data.train.source
                source = source.load(CPU) if keep == "device" else source
                contenders[keep] = epochs(shuffled(source), 1 if keep == "files" else 20)
            transform = v2.Compose([v2.Resize(size), v2.CenterCrop(size), v2.PILToTensor()])
            loader = DataLoader(
                ImageFolder(str(root / "set"), transform),
                BATCH,
                shuffle=True,
                num_workers=2,
                drop_last=True,
                persistent_workers=True,
            )
            contenders["rival"] = epochs(partial(first_of_pairs, loader), 1)
            measured = interleaved(contenders, 1 if quick else 5)
            rows += [
                Row(
                    f"images of {size} px from a folder: {words}",
                    "images/s",
                    measured[keep],
                    "ImageFolder + DataLoader",
                    measured["rival"],
                    least=TARGETS[keep],
                )
                for keep, words in KEEPS.items()
            ]
    return rows


if __name__ == "__main__":
    main(measure)
