"""The embedded default: patches of the 8 colour photographs inside the scikit-image wheel.

The label is the photograph. Training patches come from its left half, test patches from its right
half, with a gap between, so that no test pixel was trained on. Nothing is downloaded.
"""

import torch
from torch import Tensor

from infomin.core import rng
from infomin.core.errors import InputError
from infomin.data.images import DataSet, ImageSet
from infomin.data.values import fit

PHOTOGRAPHS = (
    "astronaut",
    "chelsea",
    "coffee",
    "hubble_deep_field",
    "immunohistochemistry",
    "motorcycle",
    "retina",
    "rocket",
)
_SHORT_SIDE = 384  # pixels: brings the photographs, 300 to 1411 high, to one scale


def photos(
    size: int = 32, patch: int = 32, train: int = 3200, test: int = 1600, seed: int = 0
) -> DataSet:
    """Cut patches out of the photographs.

    Arguments:
        size: side of the images that come out, in pixels.
        patch: side of the patches cut, in pixels of the photographs; smaller is harder.
        train, test: number of patches, spread evenly over the photographs.
        seed: of the positions.

    Raises:
        InputError: for fewer than one patch a photograph, or a patch that does not fit in.
    """
    if min(train, test) < len(PHOTOGRAPHS):
        raise InputError(
            f"data.train, data.test: expected at least {len(PHOTOGRAPHS)} patches, one of each "
            f"photograph, got {train} and {test}"
        )
    largest = _SHORT_SIDE // 3  # half of a square photograph, less half a patch
    if not 1 <= patch <= largest:
        raise InputError(f"data.patch: expected 1..{largest} pixels, got {patch}")
    sets = []
    for split, total in (("train", train), ("test", test)):
        images, labels = [], []
        for label, name in enumerate(PHOTOGRAPHS):
            photo = _photograph(name)
            width = photo.shape[2]
            gap = patch // 2
            half = (
                photo[:, :, : width // 2 - gap]
                if split == "train"
                else photo[:, :, width // 2 + gap :]
            )
            generator = rng.generator(seed, "photos", split, name)
            count = total // len(PHOTOGRAPHS)
            images.append(_patches(half, patch, count, generator))
            labels.append(torch.full((count,), label))
        sets.append(ImageSet(fit(torch.cat(images), size), torch.cat(labels)))
    return DataSet("photos", sets[0], sets[1], PHOTOGRAPHS)


def _photograph(name: str) -> Tensor:
    """Return one photograph, `3 h w`, uint8, shorter side `_SHORT_SIDE` pixels."""
    import numpy as np
    from PIL import Image
    from skimage import data

    array = data.stereo_motorcycle()[0] if name == "motorcycle" else getattr(data, name)()
    image = Image.fromarray(np.asarray(array)[..., :3])
    scale = _SHORT_SIDE / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)))
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def _patches(photo: Tensor, patch: int, count: int, generator: torch.Generator) -> Tensor:
    height, width = photo.shape[1:]
    top = torch.randint(height - patch + 1, (count,), generator=generator).tolist()
    left = torch.randint(width - patch + 1, (count,), generator=generator).tolist()
    return torch.stack(
        [photo[:, t : t + patch, x : x + patch] for t, x in zip(top, left, strict=True)]
    )
