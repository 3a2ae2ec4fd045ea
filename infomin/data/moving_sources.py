"""What moves in Colorful-Moving-MNIST, and over what: real data, or what packages bring along.

MNIST over a folder of natural images where there are some; scikit-learn's digits over patches of
the embedded photographs otherwise. Training and test sets have no digit and no background in
common.
"""

from pathlib import Path

import torch

from infomin.core import rng
from infomin.core.errors import InputError, called
from infomin.data.folder import image_folder
from infomin.data.images import DataSet, ImageSet
from infomin.data.photos import photos
from infomin.data.standard import mnist
from infomin.data.values import fit

SIDE = 28
"""Side of a digit, in pixels: MNIST's."""
_HELD_OUT = 0.25  # share of scikit-learn's 1,797 digits


def moving_digits(root: str | None = None, cache: str | None = None) -> DataSet:
    """Return grey digits of 28 pixels, `n 1 28 28`.

    Arguments:
        root: folder with `MNIST/raw/`; None takes the 8-pixel digits of scikit-learn, enlarged.
        cache: folder for the decoded images; None is the user's cache folder.

    Raises:
        InputError: when MNIST is not there, or scikit-learn is not installed.
    """
    if root is None:
        return _scikit_learns()
    if not (Path(root).expanduser() / "MNIST" / "raw").is_dir():
        raise InputError(f"digits.root: expected a folder with MNIST/raw in it, got {root}")
    with called("data.", "digits."):
        return mnist(str(Path(root).expanduser()), SIDE, cache)


def moving_backgrounds(
    root: str | None = None, size: int = 96, cache: str | None = None
) -> DataSet:
    """Return backgrounds, `n 3 size size`, of which frames show a crop.

    Arguments:
        root: folder of colour images, as `image_folder` takes it; grey ones become grey colours.
            None takes patches of the embedded photographs, 8 classes.
        size: side in pixels.
        cache: folder for the decoded images; None is the user's cache folder.

    Raises:
        InputError: as `image_folder` does, or with images that are not 8-bit colours.
    """
    if root is None:
        return photos(size=size, patch=96, train=1600, test=800)
    with called("data.", "backgrounds."):
        data = image_folder(root, size, convert=True, cache=cache)
        if data.channels != 3 or data.train.images.dtype != torch.uint8:
            raise InputError(f"data.root: expected 8-bit colour images in {root}")
        return data


def _scikit_learns() -> DataSet:
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise InputError(
            "digits.root: without a root the digits are scikit-learn's, which is not installed; "
            "pip install scikit-learn, or give a folder with MNIST/raw in it"
        ) from None
    found = load_digits()
    levels = torch.from_numpy(found.images).mul(255 / 16).round().to(torch.uint8)
    images, labels = fit(levels[:, None], SIDE), torch.from_numpy(found.target).long()
    order = torch.randperm(len(labels), generator=rng.generator(0, "moving digits"))
    held = round(_HELD_OUT * len(labels))
    train, test = (
        ImageSet(images[part], labels[part])
        for part in (order[held:].sort().values, order[:held].sort().values)
    )
    return DataSet("scikit-learn digits", train, test, tuple("0123456789"))
