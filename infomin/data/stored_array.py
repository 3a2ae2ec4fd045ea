"""Arrays in files, read image by image: NumPy, HDF5 and Zarr."""

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from infomin.core.errors import InputError

_HDF5, _ZARR = (".h5", ".hdf5", ".hdf", ".he5"), (".zarr", ".zarr.zip")
CONTAINERS = (*_HDF5, *_ZARR)
"""Suffixes of files and folders that hold several arrays by name."""


class StoredArray:
    """An array in a file, of which parts are read. Every process opens the file for itself.

    Arguments:
        path: a `.npy` file, an HDF5 file, or a folder or ZIP file of Zarr.
        name: of the array inside, as `train/images`; nothing for `.npy`.

    Raises:
        InputError: for a file that cannot be read, or a missing library.
    """

    def __init__(self, path: Path, name: str = "") -> None:
        self.path, self.name = path, name
        self._opened: tuple[int, Any] = (0, None)
        self.shape: tuple[int, ...] = tuple(self._array.shape)
        self.dtype = np.dtype(self._array.dtype)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int | slice) -> np.ndarray:
        try:
            return np.asarray(self._array[index])
        except Exception as error:  # libraries raise anything for a damaged part
            raise InputError(f"{self}: [{index}] cannot be read ({error})") from None

    def __str__(self) -> str:
        return f"{self.path}: {self.name}" if self.name else str(self.path)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_opened": (0, None)}

    @property
    def _array(self) -> Any:
        process, array = self._opened
        if process != os.getpid():  # libraries cannot share an open file with a worker process
            opened = _open(self.path)
            array = opened[self.name] if self.name else opened
            self._opened = os.getpid(), array
        return array


def arrays_in(path: Path) -> dict[str, tuple[int, ...]]:
    """Return names and shapes of all arrays in an HDF5 or Zarr file.

    Raises:
        InputError: see `StoredArray`.
    """
    return dict(_walk(_open(path), ""))


def _walk(node: Any, name: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    if hasattr(node, "shape"):
        yield name, tuple(node.shape or ())
    else:
        for key in sorted(node):
            yield from _walk(node[key], f"{name}/{key}" if name else key)


def _open(path: Path) -> Any:
    name = path.name.lower()
    try:
        if name.endswith(_HDF5):
            return _library("h5py", path).File(path, "r")
        if name.endswith(_ZARR):
            zarr = _library("zarr", path)
            try:
                return zarr.open_group(str(path), mode="r")
            except FileNotFoundError:  # an array without a group
                return zarr.open_array(str(path), mode="r")
        return np.lib.format.open_memmap(path, mode="r")
    except InputError:
        raise
    except Exception as error:  # a damaged header is parsed as Python, and raises anything
        raise InputError(f"{path}: is no file of arrays that can be read ({error})") from None


def _library(name: str, path: Path) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise InputError(f"{path}: needs {name}; pip install 'infomin[data]'") from None
