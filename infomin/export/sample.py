"""Images that every file of an export is verified on."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.nn import functional

from infomin.core import rng
from infomin.core.channel_groups import split
from infomin.core.errors import InputError
from infomin.core.page.text import is_number
from infomin.core.shapes import Images, Views
from infomin.generator import ViewGenerator

_COARSE = 6  # pixels a side of the noise that random images are interpolated from
_MAX_VALUES = 2**26  # of all random images


@dataclass(frozen=True)
class Sample:
    """Images and their views by g.

    Attributes:
        images: `b c h w`, float32, within the value range of the generator.
        views: g(images), in float32.
        data: source of the images, in words.
    """

    images: Images
    views: Views
    data: str

    @classmethod
    @torch.no_grad()
    def of(cls, generator: ViewGenerator, images: Images, data: str) -> "Sample":
        """Compute the views of images.

        Raises:
            InputError: for no images, images that do not fit the generator, or infinite views.
        """
        if not len(images):
            raise InputError(f"data {data}: expected images to verify an export on, got none")
        views = generator(images)
        if not all(v.isfinite().all() for v in views):
            raise InputError(f"generator: makes infinite views of {data}; its weights are absurd")
        return cls(images, views, data)

    @property
    def levels(self) -> UInt8[Tensor, "b c h w"]:
        """The images in 8 bits, for a value range of [0, 1]."""
        return (self.images * 255).round().byte()

    def to_8_bits(self, generator: ViewGenerator) -> "Sample":
        """Return the sample of the same images, rounded to 8 bits."""
        return Sample.of(generator, (self.images * 255).round() / 255, self.data)

    def compare(
        self,
        file: str,
        views: Sequence[Tensor],
        max_bound: float,
        mean_bound: float = math.inf,
        scale: Sequence[Tensor] | None = None,
    ) -> dict[str, Any]:
        """Compare the views of an exported file with those of g.

        Arguments:
            file: its name.
            views: its output on the images of this sample.
            max_bound, mean_bound: bounds of the largest and the mean absolute error.
            scale: divisor of the errors, one number per channel of each view; None for 1.

        Returns:
            The record of the file for the card.

        Raises:
            InputError: with the error that is above its bound.
        """
        errors = [(a - b).abs() for a, b in zip(views, self.views, strict=True)]
        if scale is not None:
            errors = [e / s[:, None, None] for e, s in zip(errors, scale, strict=True)]
        flat = torch.cat([e.flatten() for e in errors])
        n, largest, mean = len(self.images), flat.max().item(), flat.mean().item()
        for name, error, bound in (("largest", largest, max_bound), ("mean", mean, mean_bound)):
            if not error <= bound:
                raise InputError(
                    f"{file}: {name} error {error:.1e} on {n} images of {self.data}, expected at "
                    f"most {bound:.1e}; nothing was exported, leave this format out"
                )
        return {
            "max_error": largest,
            "mean_error": mean,
            "max_bound": max_bound,
            **({"mean_bound": mean_bound} if mean_bound < math.inf else {}),
            "relative": scale is not None,
            "data": self.data,
            "images": n,
            "pixels": self.images[:, 0].numel(),
        }


@torch.no_grad()
def random_images(
    generator: ViewGenerator, training: Mapping[str, Any], count: int, size: int
) -> tuple[Images, str]:
    """Draw smooth images that a generator could have been trained on, and say so in words.

    The output channels of g are drawn with the means and deviations in `training["check"]`, then g
    is inverted and the result clamped to the value range. Without them the images are uniform in
    the value range.

    Arguments:
        generator: g.
        training: the training section of its card.
        count: number of images; fewer for hundreds of channels.
        size: pixels a side.
    """
    channels, (low, high) = generator.channels, generator.value_range
    count = max(1, min(count, _MAX_VALUES // (channels * size**2)))
    draw = rng.generator(0, "export sample")
    coarse = torch.randn(count, channels, _COARSE, _COARSE, generator=draw)
    noise = functional.interpolate(coarse, (size, size), mode="bicubic")
    noise = noise / noise.std()
    check = training.get("check")
    statistics = check if isinstance(check, Mapping) else {}
    mean, std = (statistics.get(name) for name in ("channel_mean", "channel_std"))
    if _are_numbers(mean, channels) and _are_numbers(std, channels):
        y = noise * noise.new_tensor(std)[:, None, None] + noise.new_tensor(mean)[:, None, None]
        images = generator.inverse(split(y, generator.groups)).clamp(low, high)
        if images.isfinite().all():
            return images, "noise with the channel statistics of its card"
    uniform = torch.special.ndtr(noise)
    return low + (high - low) * uniform, "noise within its value range"


def _are_numbers(values: Any, count: int) -> bool:
    return isinstance(values, list) and len(values) == count and all(map(is_number, values))
