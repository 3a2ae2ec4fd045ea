"""The pixel values of images: 8 bits, 12 to 16 bits, or float, in 1 to 16 channels.

Images stay in memory in the type of their files. uint8 means [0, 1] after division by 255. Every
other type means its own numbers, within a declared value range. Values outside that range are
refused, never clipped.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Num
from torch import Tensor

from infomin.augment import as_float, resize
from infomin.core.errors import InputError
from infomin.core.pixels import unmasked
from infomin.core.value_range import UNIT, ValueRange, parse_range

CHANNELS = (2, 16)
"""Fewest and most channels of images that are read from files."""
_RANGES = {torch.uint8: UNIT, torch.uint16: (0.0, 65535.0), torch.float32: UNIT}
_CHUNK = 2048  # images that are resized at a time


def read_array(path: Path) -> np.ndarray:
    """Read a `.npy` file without executing anything in it."""
    with path.open("rb") as stream:
        array: np.ndarray = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def as_tensor(array: np.ndarray, name: str) -> Tensor:
    """Return an array as a tensor: uint8 and uint16 as they are, floats as float32.

    Raises:
        InputError: for another type, an empty array, or a mask that hides values; begins with
            `name`, the file or item.
    """
    array = unmasked(array, name)
    if not array.size:
        raise InputError(f"{name}: expected values, got an array of {by(array.shape)}")
    if array.dtype.kind == "f":
        array = array.astype(np.float32, copy=False)
    if array.dtype.kind == "u" and array.dtype.itemsize <= 2:
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
    elif array.dtype != np.float32:
        raise InputError(f"{name}: holds {array.dtype}, expected uint8, uint16 or float")
    return torch.from_numpy(np.require(array, requirements=("C", "W")))


def resolve_range(value_range: Sequence[float] | None, dtype: torch.dtype) -> ValueRange:
    """Return the declared value range, or by default the whole range of the type.

    Raises:
        InputError: unless low < high, or for another range than [0, 1] of 8-bit images.
    """
    default = _RANGES[dtype]
    if value_range is None:
        return default
    declared = parse_range(value_range, "data.value_range")
    if dtype == torch.uint8 and declared != default:
        raise InputError(
            f"data.value_range: expected [0, 1] for 8-bit images, got {value_range}; leave it out"
        )
    return declared


def check_values(
    image: Num[Tensor, "c h w"],
    value_range: Sequence[float] | None,
    name: str,
    fewest: int = CHANNELS[0],
) -> None:
    """Check the number of channels and the values of an image.

    Raises:
        InputError: for fewer than `fewest` or more than 16 channels, or values outside the range.
    """
    channels, most = len(image), CHANNELS[1]
    if not fewest <= channels <= most:
        raise InputError(
            f"{name}: has {channels} channel{'s' * (channels > 1)}, expected {fewest} to {most}"
        )
    low, high = resolve_range(value_range, image.dtype)
    if image.dtype == torch.uint8:
        return
    values = image.numpy()  # torch has no minimum of uint16
    lowest, highest = values.min(), values.max()
    if not (low <= lowest and highest <= high):  # NaN fails this comparison, too
        raise InputError(
            f"{name}: has values {lowest:g} to {highest:g}, outside [{low:g}, {high:g}]; declare "
            "their range with data.value_range=[LOW,HIGH]"
        )


def narrow_channels(
    images: Num[Tensor, "n c h w"], value_range: ValueRange, share: float = 0.1
) -> list[int]:
    """Return the channels whose values cover less than a share of the value range.

    They cover what lies between their 1st and 99th percentile, in some of the images. Encoders
    hardly see narrower channels: with the built-in photographs scaled to a tenth of [0, 1] the game
    finds the I_NCE of the whole range, with a twentieth it finds none (150 steps, budget=smoke).
    """
    low, high = value_range
    some = as_float(images[:: max(1, len(images) // 128)]).movedim(1, 0).flatten(1)
    some = some[:, :: max(1, some.shape[1] // 2**20)]
    ends = some.quantile(some.new_tensor([0.01, 0.99]), dim=1)
    return [i for i, w in enumerate((ends[1] - ends[0]).tolist()) if w < share * (high - low)]


def check_square(image: Tensor, name: str) -> None:
    """Raise an InputError unless an image is a square."""
    if image.shape[-2] != image.shape[-1]:
        raise InputError(f"{name}: is {size_of(image)}, expected a square; set data.size=N")


def check_alike(image: Tensor, name: str, first: Tensor, first_name: str) -> None:
    """Raise an InputError unless images have the channels, type and size of the first."""
    for word, describe, advice in (
        ("kinds", kind_of, "expected one kind"),
        ("sizes", size_of, "set data.size=N to resize them"),
    ):
        if describe(first) != describe(image):
            raise InputError(
                f"images of different {word}: {first_name} is {describe(first)}, {name} is "
                f"{describe(image)}; {advice}"
            )


def kind_of(images: Tensor) -> str:
    """Describe number of channels and type of images."""
    return f"{images.shape[-3]} channels of {str(images.dtype).removeprefix('torch.')}"


def size_of(images: Tensor) -> str:
    """Describe width and height of images."""
    return f"{images.shape[-1]}x{images.shape[-2]}"


def by(shape: Sequence[int]) -> str:
    """Describe a shape."""
    return " x ".join(map(str, shape))


def resize_to_square(
    images: Num[Tensor, "n c h w"], size: int | None, add: Callable[[int], None] | None = None
) -> Num[Tensor, "n c _ _"]:
    """Resize images to squares, antialiased, in their type; crop the centre of other shapes.

    A resized pixel is a mean of pixels, so none leaves the range of its image.

    Arguments:
        images: the images.
        size: side in pixels; None keeps the images.
        add: takes the number of images in every chunk that is done.
    """
    add = add or (lambda count: None)
    if size is None or images.shape[2:] == (size, size):
        add(len(images))
        return images.contiguous()
    resized = []
    for chunk in images.split(_CHUNK):
        resized.append(_resized(chunk, size))
        add(len(chunk))
    return torch.cat(resized)


def _resized(images: Tensor, size: int) -> Tensor:
    resized = resize(images, size)
    if images.is_floating_point():
        return resized.clamp_(images.min(), images.max())  # rounding errors only
    scale = 255 if images.dtype == torch.uint8 else 1
    return (resized * scale).round().to(images.dtype)
