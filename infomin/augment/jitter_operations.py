r"""Brightness, contrast, saturation and hue of batches, each sample by its own amount.

The four changes of torchvision's `ColorJitter` (the oracle of the tests), of images within [0, 1],
which they stay in. Ours, since hue by way of HSV and back takes most of the time of an augmented
view (docs/decisions/0009-augmentation-in-cache.md has the figures).
"""

from collections.abc import Callable

import torch
from einops import rearrange, reduce
from jaxtyping import Float
from torch import Tensor

from infomin.core.shapes import Image

Amounts = Float[Tensor, " b"]

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def brightness(images: Image, factor: Amounts) -> Image:
    """Multiply images by a factor of at least 0."""
    return (images * _each(factor)).clamp_(0, 1)


def contrast(images: Image, factor: Amounts) -> Image:
    """Scale images about their mean luma; with other than 3 channels about the mean of all."""
    mean = reduce(images, "b c h w -> b c", "mean")
    middle = luma(mean) if images.shape[1] == 3 else mean.mean(1, keepdim=True)
    return torch.lerp(rearrange(middle, "b 1 -> b 1 1 1"), images, _each(factor)).clamp_(0, 1)


def saturation(images: Image, factor: Amounts) -> Image:
    """Scale R, G and B about the luma of their pixel."""
    return torch.lerp(luma(images), images, _each(factor)).clamp_(0, 1)


def hue(images: Image, turns: Amounts) -> Image:
    r"""Turn the hue of R, G and B; 1 is the whole circle. Value and saturation of HSV stay.

    With V the largest of a pixel's three and C what the least lies below it, a channel of hue h is
    `V - C clamp(6 |d| - 1, 0, 1)`, where d is how far h lies from the channel's own hue (0, 1/3
    and 2/3 of a turn), the shorter way round: HSV is not needed in between.
    """
    r, g, b = images.unbind(1)
    high = torch.maximum(torch.maximum(r, g), b)
    chroma = high - torch.minimum(torch.minimum(r, g), b)
    beside = torch.where(
        r == high,
        g - b,
        torch.where(
            g == high,
            torch.add(b - r, chroma, alpha=2),
            torch.add(r - g, chroma, alpha=4),
        ),
    )
    sixth = (6 * chroma).clamp_(min=torch.finfo(images.dtype).tiny)  # of grey hue does not matter
    angle = beside.div_(sixth).add_(rearrange(turns, "b -> b 1 1"))
    thirds = torch.arange(3, dtype=images.dtype, device=images.device) / 3
    own = rearrange(thirds, "c -> c 1 1")
    away = rearrange(angle, "b h w -> b 1 h w") - own
    away = away.sub_(away.round()).abs_().clamp_(1 / 6, 2 / 6)
    top = rearrange(high.add_(chroma), "b h w -> b 1 h w")
    turned = torch.addcmul(top, rearrange(sixth, "b h w -> b 1 h w"), away, value=-1)
    return turned.clamp_(0, 1)  # of what rounding adds


def luma(pixels: Float[Tensor, "b 3 ..."]) -> Float[Tensor, "b 1 ..."]:
    """Return the luma of R, G and B."""
    r, g, b = (pixels[:, i : i + 1] for i in range(3))
    return (_LUMA[0] * r).add_(g, alpha=_LUMA[1]).add_(b, alpha=_LUMA[2])


def gray(images: Image) -> Image:
    """Return images whose three channels are their luma."""
    return luma(images).expand(images.shape)


JITTER: dict[str, Callable[[Image, Amounts], Image]] = {
    "brightness": brightness,
    "contrast": contrast,
    "saturation": saturation,
    "hue": hue,
}


def _each(amount: Amounts) -> Float[Tensor, "b 1 1 1"]:
    return rearrange(amount, "b -> b 1 1 1")
