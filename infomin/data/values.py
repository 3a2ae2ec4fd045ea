"""The pixel values of images: 8 bits, 12 to 16 bits, or float, in 1 to 1024 channels.

Images stay in memory in the type of their files. uint8 means [0, 1] after division by 255. Every
other type means its own numbers, within a declared value range. Values outside that range are
refused, never clipped.
"""

import math
from collections.abc import Callable, Sequence
from io import BufferedIOBase

import numpy as np
import torch
from jaxtyping import Num
from torch import Tensor

from infomin.augment import resize
from infomin.core.channel_groups import MOST_CHANNELS
from infomin.core.errors import InputError
from infomin.core.value_range import UNIT, ValueRange, parse_range

CHANNELS = (2, MOST_CHANNELS)
"""Fewest and most channels of images that are read from files."""
FEW = 16
"""Most entries of an axis that is taken for the one of channels, where axes have no names."""
DEFAULT_RANGES = {torch.uint8: UNIT, torch.uint16: (0.0, 65535.0), torch.float32: UNIT}
"""Value ranges of images unless another is declared, by type."""
Setting = Callable[[str, str], str]
"""A function that returns the words which set an option of the data to a value."""
_CHUNK = 2048  # images that are resized at a time


def data_setting(option: str, value: str) -> str:
    """Return the words that set an option of the data."""
    return f"data.{option}={value}"


def read_array(stream: BufferedIOBase) -> np.ndarray:
    """Read a `.npy` file without executing anything in it."""
    array: np.ndarray = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def as_tensor(array: np.ndarray, name: str, fill: float | None = None) -> Tensor:
    """Return an array as a tensor: uint8 and uint16 as they are, other numbers as float32.

    Arguments:
        array: of real numbers.
        name: the file or item, at the beginning of errors.
        fill: replaces masked values, NaN and infinity; None keeps NaN and refuses a mask.

    Raises:
        InputError: for another type, masked values, integers that float32 does not hold, or an
            empty array.
    """
    if not array.size:
        raise InputError(f"{name}: expected values, got an array of {by(array.shape)}")
    if isinstance(array, np.ma.MaskedArray):
        array = fill_missing(array.data, np.ma.getmaskarray(array), fill, name)
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind not in "uif" or (kind != "f" and size > 2 and np.abs(array).max() > 2**24):
        raise InputError(
            f"{name}: holds {array.dtype}, expected uint8, uint16, or numbers that float32 holds; "
            "save it as one of these"
        )
    if kind == "u" and size <= 2:
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
    else:
        array = array.astype(np.float32, copy=False)
    if fill is not None and kind == "f" and not np.isfinite(array).all():
        array = fill_missing(array, ~np.isfinite(array), fill, name)
    return torch.from_numpy(np.require(array, requirements=("C", "W")))


def check_fill(fill: object) -> None:
    """Raise an InputError unless the value for missing values is a finite number."""
    if isinstance(fill, bool) or not isinstance(fill, int | float) or not math.isfinite(fill):
        raise InputError(f"data.fill: expected a number, got {fill!r}; such as data.fill=0")


def fill_missing(
    array: np.ndarray,
    missing: np.ndarray,
    fill: float | None,
    name: str,
    setting: Setting = data_setting,
) -> np.ndarray:
    """Return an array whose missing values are replaced.

    Raises:
        InputError: without a value to fill in, or for one that the type does not hold.
    """
    if not missing.any():
        return array
    if fill is None:
        raise InputError(
            f"{name}: {np.count_nonzero(missing):,} of {missing.size:,} values are declared as no "
            f"data; {setting('fill', 'VALUE')} replaces them"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        held = np.asarray(fill).astype(array.dtype)
    if array.dtype.kind != "f" and held != fill:
        raise InputError(
            f"{setting('fill', f'{fill:g}')}: expected a value of {array.dtype}, as {name} holds"
        )
    return np.where(missing, held, array)


def resolve_range(value_range: Sequence[float] | None, dtype: torch.dtype) -> ValueRange:
    """Return the declared value range, or by default the whole range of the type.

    Raises:
        InputError: unless low < high, or for another range than [0, 1] of 8-bit images.
    """
    default = DEFAULT_RANGES[dtype]
    if value_range is None:
        return default
    declared = parse_range(value_range, "data.value_range")
    if dtype == torch.uint8 and declared != default:
        raise InputError(
            f"data.value_range: expected [0, 1] for 8-bit images, got {value_range}; leave it out"
        )
    return declared


def check_channels(image: Num[Tensor, "c h w"], name: str, fewest: int, setting: Setting) -> None:
    """Raise an InputError for fewer than `fewest` or more than 1024 channels."""
    channels, most = len(image), CHANNELS[1]
    if not fewest <= channels <= most:
        grey = f"; {setting('convert', 'true')} makes grey three equal channels"
        raise InputError(
            f"{name}: has {channels} channel{'s' * (channels > 1)}, expected {fewest} to {most}"
            + grey * (channels == 1)
        )


def check_finite(image: Num[Tensor, "c h w"], name: str, setting: Setting) -> None:
    """Raise an InputError for values that are NaN or infinite; names their number."""
    if image.is_floating_point() and not bool(image.isfinite().all()):
        count = int((~image.isfinite()).sum())
        raise InputError(
            f"{name}: {count:,} of {image.numel():,} values are NaN or infinite; "
            f"{setting('fill', 'VALUE')} replaces them"
        )


def lowest_and_highest(image: Tensor) -> ValueRange:
    """Return the lowest and the highest value of an image."""
    array = image.numpy()  # torch has no minimum of uint16
    return float(array.min()), float(array.max())


def inverted(
    image: Num[Tensor, "c h w"], channels: Sequence[int], value_range: Sequence[float] | None
) -> Num[Tensor, "c h w"]:
    """Mirror the values of some channels within the value range, so that the highest is white."""
    low, high = resolve_range(value_range, image.dtype)
    array = image.numpy()
    ends = 255 if image.dtype == torch.uint8 else low + high
    mirrored = array.copy()
    mirrored[channels] = (ends - array[channels]).astype(array.dtype)
    return torch.from_numpy(mirrored)


def check_square(image: Tensor, name: str) -> None:
    """Raise an InputError unless an image is a square."""
    if image.shape[-2] != image.shape[-1]:
        raise InputError(f"{name}: is {size_of(image)}, expected a square; set data.size=N")


def check_alike(image: Tensor, name: str, first: Tensor, first_name: str) -> None:
    """Raise an InputError unless images have the channels, type and size of the first."""
    for word, describe, advice in (
        ("kinds", kind_of, _convert_advice(image, first)),
        ("sizes", size_of, "set data.size=N to resize them"),
    ):
        if describe(first) != describe(image):
            raise InputError(
                f"images of different {word}: {first_name} is {describe(first)}, {name} is "
                f"{describe(image)}; {advice}"
            )


def _convert_advice(image: Tensor, first: Tensor) -> str:
    if image.dtype == first.dtype and max(image.shape[-3], first.shape[-3]) <= 4:
        return "data.convert=true makes grey three equal channels and drops alpha"
    return "expected one kind"


def kind_of(images: Tensor) -> str:
    """Describe number of channels and type of images."""
    return f"{images.shape[-3]} channels of {str(images.dtype).removeprefix('torch.')}"


def size_of(images: Tensor) -> str:
    """Describe width and height of images."""
    return f"{images.shape[-1]}x{images.shape[-2]}"


def number(value: float) -> str:
    """Describe a value, such as 11,840."""
    return f"{value:,.6g}"


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
