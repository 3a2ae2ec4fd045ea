"""Digits and backgrounds of Colorful-Moving-MNIST.

With a folder: MNIST, and natural images. Without one: the digits of scikit-learn, and patches of
the embedded photographs. Training and test sets are disjoint.
"""

import torch

from infomin.core import rng
from infomin.core.errors import InputError, renamed_option
from infomin.core.files import user_path
from infomin.data import DataSet, ImageSet
from infomin.data.folder import image_folder
from infomin.data.photos import photos
from infomin.data.standard import mnist
from infomin.data.values import resize_to_square

SIDE = 28
"""Side of a digit of MNIST, in pixels."""
_TEST_SHARE = 0.25  # of scikit-learn's 1,797 digits


def load_digits(root: str | None = None, cache: str | None = None) -> DataSet:
    """Return grey digits of 28 pixels, `n 1 28 28`.

    Arguments:
        root: folder with `MNIST/raw/`; None enlarges the 8-pixel digits of scikit-learn.
        cache: folder for the decoded images; None is the user's cache folder.

    Raises:
        InputError: if MNIST is not in the folder, or scikit-learn is not installed.
    """
    if root is None:
        return _scikit_learn_digits()
    if not (user_path(root) / "MNIST" / "raw").is_dir():
        raise InputError(f"digits.root: expected a folder with MNIST/raw in it, got {root}")
    with renamed_option("data.", "digits."):
        return mnist(root, SIDE, cache)


def load_backgrounds(root: str | None = None, size: int = 96, cache: str | None = None) -> DataSet:
    """Return colour images, `n 3 size size`; a frame shows a crop of one.

    Arguments:
        root: folder of images, see `image_folder`; grey images are converted to RGB. None takes
            patches of the embedded photographs, 8 classes.
        size: side in pixels.
        cache: folder for the decoded images; None is the user's cache folder.

    Raises:
        InputError: as `image_folder` does, or for images that are not 8-bit RGB.
    """
    if root is None:
        return photos(size=size, patch=96, train=1600, test=800)
    with renamed_option("data.", "backgrounds."):
        data = image_folder(root, size, convert=True, cache=cache)
        if data.channels != 3 or data.train.source.dtype != torch.uint8:
            raise InputError(f"data.root: expected 8-bit colour images in {root}")
        return data


def _scikit_learn_digits() -> DataSet:
    try:
        from sklearn.datasets import load_digits as sklearn_digits
    except ImportError:
        raise InputError(
            "digits.root: expected a folder with MNIST/raw, got none, and scikit-learn with its "
            "own digits is not installed; give the folder, or pip install scikit-learn"
        ) from None
    source = sklearn_digits()
    levels = torch.from_numpy(source.images).mul(255 / 16).round().to(torch.uint8)
    images, labels = resize_to_square(levels[:, None], SIDE), torch.from_numpy(source.target).long()
    order = torch.randperm(len(labels), generator=rng.generator(0, "moving digits"))
    held_out = round(_TEST_SHARE * len(labels))
    train, test = (
        ImageSet.of(images[index], labels[index])
        for index in (order[held_out:].sort().values, order[:held_out].sort().values)
    )
    return DataSet("scikit-learn digits", train, test, tuple("0123456789"))
