"""The default data: patches of the 8 colour photographs inside the scikit-image wheel.

The label is the photograph. Training patches come from its left half, test patches from its right
half, with a gap between them: no test pixel is a training pixel. Nothing is downloaded.
"""

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from infomin.core import rng
from infomin.core.errors import InputError
from infomin.data.images import DataSet, ImageSet
from infomin.data.reading import Counter, Progress, random_patches, source
from infomin.data.values import resize_to_square

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


@source
def photos(
    size: int = 32,
    patch: int = 32,
    train: int = 3200,
    test: int = 1600,
    seed: int = 0,
    progress: Progress = None,
) -> DataSet:
    """Cut patches out of the photographs.

    Arguments:
        size: side of the resulting images, in pixels.
        patch: side of the patches, in pixels of the photographs; smaller is harder.
        train, test: number of patches, in equal parts of all photographs.
        seed: of the places.
        progress: takes the number of photographs that are done, and of all.

    Raises:
        InputError: for fewer than one patch per photograph, or too large a patch.
    """
    if min(train, test) < len(PHOTOGRAPHS):
        raise InputError(
            f"data.train, data.test: expected at least {len(PHOTOGRAPHS)} patches, one of each "
            f"photograph, got {train} and {test}"
        )
    largest = _SHORT_SIDE // 3  # half of a square photograph, less half a patch
    if not 1 <= patch <= largest:
        raise InputError(f"data.patch: expected 1..{largest} pixels, got {patch}")
    gap = patch // 2
    counter = Counter(progress, 2 * len(PHOTOGRAPHS))
    counts = {"train": train // len(PHOTOGRAPHS), "test": test // len(PHOTOGRAPHS)}
    patches: dict[str, list[Tensor]] = {split: [] for split in counts}
    for name in PHOTOGRAPHS:
        photo = _photograph(name)
        middle = photo.shape[2] // 2
        halves = {"train": photo[:, :, : middle - gap], "test": photo[:, :, middle + gap :]}
        for split, half in halves.items():
            generator = rng.generator(seed, "photos", split, name)
            cuts = random_patches(half, patch, counts[split], generator, "data.patch", name)
            patches[split].append(cuts)
            counter.add()
    sets = [
        ImageSet.of(
            resize_to_square(torch.cat(patches[split]), size),
            torch.arange(len(PHOTOGRAPHS)).repeat_interleave(count),
        )
        for split, count in counts.items()
    ]
    return DataSet("photos", sets[0], sets[1], PHOTOGRAPHS)


def _photograph(name: str) -> UInt8[Tensor, "3 h w"]:
    """Return a photograph whose shorter side has `_SHORT_SIDE` pixels."""
    from skimage import data

    array = data.stereo_motorcycle()[0] if name == "motorcycle" else getattr(data, name)()
    image = Image.fromarray(np.asarray(array)[..., :3])
    scale = _SHORT_SIDE / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)))
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)
