"""Standard data sets of torchvision, downloaded where there is a network."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError

from infomin.core.errors import InputError
from infomin.core.files import user_path
from infomin.data.cache import cached
from infomin.data.decode import Decoder
from infomin.data.image_store import ImageStore
from infomin.data.images import DataSet
from infomin.data.parts import Part, read_parts
from infomin.data.reading import Progress, source

_SPLITS = {"STL10": ({"split": "train+unlabeled"}, {"split": "test"})}
_TRAIN_AND_TEST = ({"train": True}, {"train": False})


@source
def stl10(
    root: str = "data", size: int | None = 64, cache: str | None = None, progress: Progress = None
) -> DataSet:
    """STL-10: 5,000 labelled and 100,000 unlabelled training images, 8,000 for test; 96 px.

    Arguments:
        root: folder with `stl10_binary/`, or where to download it (2.6 GB).
        size: side in pixels, 64 in the paper; None keeps 96.
        cache: folder for the decoded images; None is the user's cache folder.
        progress: takes the number of images that are resized, and of all.
    """
    return _read("STL10", root, size, cache, progress)


@source
def cifar10(
    root: str = "data", size: int | None = None, cache: str | None = None, progress: Progress = None
) -> DataSet:
    """CIFAR-10: 50,000 and 10,000 images of 32 px. See `stl10` for the arguments."""
    return _read("CIFAR10", root, size, cache, progress)


@source
def cifar100(
    root: str = "data", size: int | None = None, cache: str | None = None, progress: Progress = None
) -> DataSet:
    """CIFAR-100: 50,000 and 10,000 images of 32 px. See `stl10` for the arguments."""
    return _read("CIFAR100", root, size, cache, progress)


@source
def mnist(
    root: str = "data", size: int | None = 32, cache: str | None = None, progress: Progress = None
) -> DataSet:
    """MNIST: 60,000 and 10,000 grey digits of 28 px, one channel. See `stl10` for the arguments."""
    return _read("MNIST", root, size, cache, progress)


def _read(
    title: str, root: str, size: int | None, cache: str | None, progress: Progress
) -> DataSet:
    """Return a data set from the cache, or let torchvision's class of this name read it."""
    name, folder = title.lower(), user_path(root)

    def build(_: ImageStore) -> DataSet:
        parts = []
        for options in _SPLITS.get(title, _TRAIN_AND_TEST):
            part = _open(title, folder, options)
            labels = part.labels if title == "STL10" else part.targets
            classes = "0123456789" if title == "MNIST" else part.classes
            parts.append(Part(f"{name} {options}", (part.data, labels), classes))
        return read_parts(parts, Decoder(size, grey=True), name, progress=progress)

    return cached(cache, build, name=name, root=str(folder.resolve()), size=size)


def _open(title: str, root: Path, split: Mapping[str, Any]) -> Any:
    """Open a data set of torchvision, and download it only where it is missing."""
    from torchvision import datasets  # imports torch's compiler, three seconds

    dataset = getattr(datasets, title)
    try:
        return dataset(root=root, download=False, **split)
    except RuntimeError:
        pass
    try:
        root.mkdir(parents=True, exist_ok=True)
        return dataset(root=root, download=True, **split)
    except (URLError, OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"data.root: {title} is not in {root.absolute()} and could not be downloaded "
            f"({reason}); put torchvision's files there"
        ) from None
