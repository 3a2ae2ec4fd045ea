"""Images in the file of a cache, and folders of pictures."""

import numpy as np
import torch
from PIL import Image

from infomin.data.image_store import IMAGES, ImageStore, open_store
from infomin.data.source import TensorSource


def random(dtype, n=30, side=4):
    images = torch.randint(0, 256, (n, 3, side, side))
    return images.to(torch.int16).to(dtype) if dtype == torch.uint16 else images.to(dtype)


def mapped(path, images):
    """The source of a file that holds these images."""
    with path.open("wb") as stream:
        store = ImageStore(stream)
        for i, image in enumerate(images):
            store.add(image, str(i))
        store.close({"odd": torch.tensor([True, False, True]), "rows": torch.arange(3)})
    return TensorSource(open_store(path)[IMAGES], mapped=True)


def folder_of(tmp_path, kind="RGB", number=20):
    """A folder of pictures of two classes, of several sizes, of 8 or 16 bits; return options."""
    for i in range(number):
        path = tmp_path / "set" / "ab"[i % 2] / f"{i:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(i).integers(0, 256, (18 + i % 3, 16, 3), dtype=np.uint8)
        if kind == "RGB":
            Image.fromarray(pixels).save(path)
        else:
            np.save(path.with_suffix(".npy"), pixels.astype(np.uint16) * 16)
    return {"root": str(tmp_path / "set"), "size": 12, "cache": str(tmp_path / "cache")}
