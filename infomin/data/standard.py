"""Standard data sets through torchvision, downloaded where there is a network."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torchvision import datasets

from infomin.core.errors import InputError
from infomin.data.cache import cached
from infomin.data.images import DataSet, ImageSet
from infomin.data.values import fit


def stl10(root: str = "data", size: int | None = 64, cache: str | None = None) -> DataSet:
    """STL-10: 5,000 labelled and 100,000 unlabelled training images, 8,000 for test; 96 px.

    Arguments:
        root: folder with `stl10_binary/`, or where to download it (2.6 GB).
        size: side in pixels, 64 in the paper; None keeps 96.
        cache: folder for the decoded images; None is the user's cache folder.
    """

    def build() -> DataSet:
        train = _torchvision(datasets.STL10, root, "STL-10", split="train+unlabeled")
        test = _torchvision(datasets.STL10, root, "STL-10", split="test")
        sets = [
            ImageSet(fit(torch.from_numpy(s.data), size), torch.from_numpy(s.labels).long())
            for s in (train, test)
        ]
        return DataSet("stl10", sets[0], sets[1], tuple(train.classes))

    return cached(_key("stl10", root, size), cache, build)


def cifar10(root: str = "data", size: int | None = None, cache: str | None = None) -> DataSet:
    """CIFAR-10: 50,000 and 10,000 images of 32 px."""
    return _cifar("cifar10", datasets.CIFAR10, root, size, cache)


def cifar100(root: str = "data", size: int | None = None, cache: str | None = None) -> DataSet:
    """CIFAR-100: 50,000 and 10,000 images of 32 px."""
    return _cifar("cifar100", datasets.CIFAR100, root, size, cache)


def mnist(root: str = "data", size: int | None = 32, cache: str | None = None) -> DataSet:
    """MNIST: 60,000 and 10,000 grey digits of 28 px, one channel."""

    def build() -> DataSet:
        sets = []
        for train in (True, False):
            s = _torchvision(datasets.MNIST, root, "MNIST", train=train)
            sets.append(ImageSet(fit(s.data[:, None], size), s.targets.long()))
        return DataSet("mnist", sets[0], sets[1], tuple("0123456789"))

    return cached(_key("mnist", root, size), cache, build)


def _cifar(
    name: str, source: Callable[..., Any], root: str, size: int | None, cache: str | None
) -> DataSet:
    def build() -> DataSet:
        sets, classes = [], ()
        for train in (True, False):
            s = _torchvision(source, root, name.upper(), train=train)
            images = torch.from_numpy(s.data).permute(0, 3, 1, 2).contiguous()
            sets.append(ImageSet(fit(images, size), torch.tensor(s.targets)))
            classes = tuple(s.classes)
        return DataSet(name, sets[0], sets[1], classes)

    return cached(_key(name, root, size), cache, build)


def _torchvision(source: Callable[..., Any], root: str, name: str, **options: Any) -> Any:
    """Open a torchvision data set, downloading it only when it is not there."""
    try:
        return source(root=root, download=False, **options)
    except RuntimeError:
        pass
    try:
        Path(root).mkdir(parents=True, exist_ok=True)
        return source(root=root, download=True, **options)
    except (URLError, OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"data.root: {name} is not in {Path(root).absolute()} and could not be downloaded "
            f"({reason}); put torchvision's files there"
        ) from None


def _key(name: str, root: str, size: int | None) -> dict[str, Any]:
    return {"name": name, "root": str(Path(root).resolve()), "size": size}
