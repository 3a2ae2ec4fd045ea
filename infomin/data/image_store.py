"""Images that are decoded one by one: into a file, so that memory never holds all, or into memory.

The file is one of safetensors: a header of fixed size, the images, then small tensors. It is read
by mapping it: the operating system loads the images that are wanted, and may drop them again.
"""

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import BinaryIO

import torch
from jaxtyping import Num
from safetensors import safe_open
from torch import Tensor

from infomin.data import values
from infomin.data.source import TensorSource

_HEADER = 4096  # bytes, with the 8 of its length; a dozen names and shapes
_TYPES = {
    torch.uint8: "U8",
    torch.uint16: "U16",
    torch.float32: "F32",
    torch.int64: "I64",
    torch.bool: "BOOL",
}
IMAGES = "images"


class ImageStore:
    """Takes images of one shape and type, in order.

    Arguments:
        stream: a file to write them to; None keeps them in memory.
        most: number of images that may come, where they stay in memory.
    """

    def __init__(self, stream: BinaryIO | None = None, most: int = 0) -> None:
        self.stream, self.most, self.count = stream, most, 0
        self._images: Tensor | None = None  # on the meta device where they go to a file
        self._first = ""
        if stream is not None:
            stream.write(bytes(_HEADER))

    def add(self, image: Num[Tensor, "c h w"], name: str) -> None:
        """Store one more image.

        Raises:
            InputError: unless it has the channels, type and size of the first; names both.
        """
        if self._images is None:
            self._first = name
            n, device = (1, "meta") if self.stream else (self.most, "cpu")
            self._images = torch.empty(n, *image.shape, dtype=image.dtype, device=device)
        values.check_alike(image, name, self._images, self._first)
        if self.stream is None:
            self._images.numpy()[self.count] = image.numpy()  # torch sets no rows of uint16
        else:
            self.stream.write(image.contiguous().numpy().data)
        self.count += 1

    @property
    def source(self) -> TensorSource:
        """All images so far; without values where they are in a file that is not complete."""
        assert self._images is not None
        if self.stream is None:
            return TensorSource(self._images[: self.count])
        return TensorSource(self._images.expand(self.count, -1, -1, -1))

    def close(self, tensors: Mapping[str, Tensor]) -> None:
        """Write small tensors after the images, and the header."""
        assert self.stream is not None
        images = self.source.tensor
        header: dict[str, object] = {}
        end = 0

        def place(name: str, kind: torch.dtype, shape: torch.Size) -> int:
            nonlocal end
            start, end = end, end + prod(shape) * kind.itemsize
            header[name] = {"dtype": _TYPES[kind], "shape": [*shape], "data_offsets": [start, end]}
            return -end % 8

        gap = place(IMAGES, images.dtype, images.shape)
        for name, tensor in tensors.items():
            if gap:  # tensors start at multiples of 8 bytes
                self.stream.write(bytes(gap))
                place(f"gap.{name}", torch.uint8, torch.Size([gap]))
            self.stream.write(tensor.contiguous().numpy().data)
            gap = place(name, tensor.dtype, tensor.shape)
        text = json.dumps(header).encode().ljust(_HEADER - 8)
        self.stream.seek(0)
        self.stream.write((_HEADER - 8).to_bytes(8, "little") + text)


def open_store(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a complete file; that of the images is mapped."""
    with safe_open(path, framework="pt") as stored:
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}
    return {name: x if name == IMAGES else x.clone() for name, x in tensors.items()}
