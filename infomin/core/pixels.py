"""The types of pixels: the one rule for every entrance that takes images.

    float16, bfloat16, float32, float64   values within the value range
    uint8                                 divided by 255 where the value range is [0, 1]
    every integer type                    its own numbers, where the value range is another

Anything else is refused by its name.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from infomin.core.errors import InputError
from infomin.core.value_range import UNIT, ValueRange

_INTEGERS = (
    *(torch.uint8, torch.uint16, torch.uint32, torch.uint64),
    *(torch.int8, torch.int16, torch.int32, torch.int64),
)


def to_float(
    images: Any, value_range: ValueRange, consumer: str, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Return images of any real type as floats within a value range; gradients pass.

    Arguments:
        images: a tensor.
        value_range: lowest and highest value of the result; not checked.
        consumer: the object that takes the images, as the error names it.
        dtype: of the result.

    Raises:
        InputError: for something else than a tensor, or numbers without a meaning in this range.
    """
    if not isinstance(images, Tensor):
        advice = "; torch.from_numpy(images) makes one" if isinstance(images, np.ndarray) else ""
        raise InputError(f"images: {consumer} takes a tensor, got {type(images).__name__}{advice}")
    if images.is_floating_point():
        return images.to(dtype)
    unit, integers = value_range == UNIT, images.dtype in _INTEGERS
    if unit and images.dtype == torch.uint8:
        return images.to(dtype) / 255
    if integers and not unit:
        return images.to(dtype)
    low, high = value_range
    takes = "float images within [0, 1] and uint8 ones" if unit else f"numbers {low:g}..{high:g}"
    advice = "divide them by the value that stands for 1" if integers else "convert them to float32"
    got = str(images.dtype).removeprefix("torch.")
    raise InputError(f"images: {consumer} takes {takes}, got {got}; {advice}")


def to_tensor(array: np.ndarray, name: str) -> Tensor:
    """Return an array of any byte order, strides and real type as a tensor that can be written to.

    Arguments:
        array: of numbers.
        name: of the array, as the error names it.

    Raises:
        InputError: for an array of something else, or one whose mask hides values.
    """
    if isinstance(array, np.ma.MaskedArray):
        if hidden := int(np.ma.getmaskarray(array).sum()):
            raise InputError(
                f"{name}: expected a value for each pixel, got a masked array that hides {hidden} "
                f"of {array.size}; fill them first, as array.filled(0) does"
            )
        array = array.data
    if array.dtype.kind not in "buif":
        raise InputError(f"{name}: expected an array of numbers, got {array.dtype}")
    dtype = array.dtype.newbyteorder("=")
    if dtype.kind == "f" and dtype.itemsize > 8:  # torch has no longer type
        dtype = np.dtype(np.float64)
    return torch.from_numpy(np.require(array, dtype, ["C", "W"]))
