"""Estimates of the value range that images use: a proposal where none is declared, and channels
that use little of it.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Num
from torch import Tensor

from infomin.augment import as_float
from infomin.core.errors import InputError
from infomin.core.value_range import ValueRange
from infomin.data.values import DEFAULT_RANGES, Setting, lowest_and_highest, number, resolve_range

ENOUGH = 1000
"""Images that are measured before values outside the default range end the reading."""
LITTLE = 0.5
"""Share of the default range up to which a narrower one is proposed."""


class ValueSpan:
    """The lowest and highest value of images while their value range is not declared."""

    def __init__(self) -> None:
        self._spans: list[tuple[float, float, str]] = []  # threads append to it
        self._dtype = torch.uint8

    def add(self, image: Num[Tensor, "c h w"], name: str, setting: Setting) -> None:
        """Measure an image of 16 bits or floats.

        Raises:
            InputError: where `ENOUGH` images show that values leave the default range.
        """
        self._spans.append((*lowest_and_highest(image), name))
        self._dtype = image.dtype
        if len(self._spans) == ENOUGH:
            self.settle(setting)

    def settle(self, setting: Setting) -> str:
        """Return a proposal of a narrower range than that of the type, or nothing.

        Arguments:
            setting: returns the words that set an option.

        Raises:
            InputError: for values outside the range of the type; proposes one.
        """
        if not self._spans:
            return ""
        spans = list(self._spans)
        lowest = min(spans)[0]
        highest, name = max((high, name) for _, high, name in spans)
        low, high = DEFAULT_RANGES[self._dtype]
        proposed = round_range(lowest, highest)
        usual = (
            f"[{low:g}, {high:g}], the range of {str(self._dtype).removeprefix('torch.')} images"
        )
        text = f"values span {number(lowest)} to {number(highest)}"
        advice = f"set {setting('value_range', _in_brackets(proposed))}"
        if not low <= lowest <= highest <= high:
            raise InputError(
                f"data.value_range: {text} (highest in {name}), outside {usual} unless declared; "
                + advice
            )
        if proposed[1] - proposed[0] > LITTLE * (high - low):
            return ""
        return f"{text}, a small part of {usual} unless declared; {advice}"


def check_range(
    image: Num[Tensor, "c h w"], value_range: Sequence[float], name: str, setting: Setting
) -> None:
    """Raise an InputError for values outside the declared range; proposes a wider one."""
    low, high = resolve_range(value_range, image.dtype)
    lowest, highest = lowest_and_highest(image)
    if not low <= lowest <= highest <= high:
        wider = round_range(min(low, lowest), max(high, highest))
        raise InputError(
            f"{name}: has values {number(lowest)} to {number(highest)}, outside "
            f"[{low:g}, {high:g}]; set {setting('value_range', _in_brackets(wider))}"
        )


def round_range(low: float, high: float) -> ValueRange:
    """Return round numbers around the values of images, such as (0, 12000) for 212 to 11,840.

    Values that nearly reach the highest number of 8 to 16 bits get its range, such as (0, 4095).
    """
    for bits in range(8, 17):
        top = 2.0**bits - 1
        if 0 <= low and 0.98 * top <= high <= top:
            return 0.0, top
    if low == high:
        low, high = min(low, 0.0), max(high, 0.0 if low else 1.0)
    width = high - low
    step = 10.0 ** (math.floor(math.log10(width)) - 1)
    digits = max(0, -math.floor(math.log10(step)))
    if 0 < low < width:
        low = 0.0
    return (
        round(math.floor(low / step) * step, digits),
        round(math.ceil(high / step) * step, digits),
    )


def narrow_channels(
    images: Num[Tensor, "n c h w"], value_range: ValueRange, share: float = 0.1
) -> dict[int, ValueRange]:
    """Return the channels whose values cover less than a share of the value range.

    They cover what lies between their 1st and 99th percentile, in some of the images. Encoders
    hardly see narrower channels: with the built-in photographs scaled to a tenth of [0, 1] the game
    finds the I_NCE of the whole range, with a twentieth it finds none (150 steps, budget=smoke).

    Returns:
        The two percentiles by the index of the channel.
    """
    low, high = value_range
    some = as_float(images).movedim(1, 0).flatten(1)
    some = some[:, :: max(1, some.shape[1] // 2**20)]
    ends = some.quantile(some.new_tensor([0.01, 0.99]), dim=1).T.tolist()
    return {i: (a, b) for i, (a, b) in enumerate(ends) if b - a < share * (high - low)}


def describe_narrow_channels(
    images: Num[Tensor, "n c h w"], value_range: ValueRange, names: Sequence[str]
) -> str:
    """Return a warning of channels that encoders hardly see, with the remedy; or nothing."""
    narrow = narrow_channels(images, value_range)
    if not narrow:
        return ""
    spans = [f"{names[i]} {number(a)} to {number(b)}" for i, (a, b) in narrow.items()]
    low, high = value_range
    text = (
        f"values of {', '.join(spans)} cover less than a tenth of [{low:g}, {high:g}], and "
        "encoders hardly see them; "
    )
    if len(narrow) == images.shape[1] and images.dtype != torch.uint8:
        ends = round_range(min(a for a, _ in narrow.values()), max(b for _, b in narrow.values()))
        return text + f"set data.value_range={_in_brackets(ends)}"
    return text + "bring all channels to one scale before you save them"


def _in_brackets(value_range: ValueRange) -> str:
    return "[{:.15g},{:.15g}]".format(*value_range)
