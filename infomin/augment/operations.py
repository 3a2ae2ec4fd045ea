r"""The operations of RandAugment that change values of pixels, not their places.

They were defined on 8 bits. Here images are float within [0, 1], and stay so:

* what scales, inverts or stretches values works on the numbers as they are, without rounding;
* what asks which of 256 levels a pixel has (equalize, posterize, solarize, solarize_add) takes the
  nearest one; equalize and posterize also return one of the 256;
* what leaves [0, 1] (brightness, contrast, colour, sharpness above 1) is cut off there, as 8 bits
  cut it off: that is what the operation is.

On images whose values are multiples of 1/255 all agree within 1/255 with torchvision and Pillow
(the oracles of the tests). Operations take images and a number a sample, the share of the largest
magnitude, within [0, 1].
"""

from collections.abc import Callable
from functools import cache

from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from infomin.augment.jitter_operations import JITTER
from infomin.core.shapes import Image

Shares = Float[Tensor, " n"]
Operation = Callable[[Image, Shares], Image]

# At level 10 (the paper's code, RandAugment.py, *_level_to_arg)
_BITS = 4  # kept by posterize, fewer below level 10: the variant of EfficientNet on TPUs
_THRESHOLD = 256  # of solarize: at level 10 no pixel is as bright
_ADDED = 110  # by solarize_add, to pixels below 128
_FACTORS = (0.1, 1.9)  # of brightness, contrast, colour and sharpness at level 0 and 10

NEEDS_COLOR = ("color",)
"""Operations that make sense only for R, G and B."""


@cache
def pixel_operations() -> dict[str, Operation]:
    """Return them by name; of torchvision and kornia those that take a batch as it is."""
    from kornia import enhance  # heavy
    from torchvision.transforms.v2 import functional as tv

    def factor(share: Shares) -> Shares:
        low, high = _FACTORS
        return low + (high - low) * share

    def autocontrast(x: Image, share: Shares) -> Image:
        return _by_channel(tv.autocontrast, x)

    def equalize(x: Image, share: Shares) -> Image:
        return tv.equalize(_levels(x).byte()).to(x) / 255

    def posterize(x: Image, share: Shares) -> Image:
        step = _each((2 ** (8 - (_BITS * share).floor())).to(x))
        return (_levels(x) / step).floor() * step / 255

    def solarize(x: Image, share: Shares) -> Image:
        threshold = (_THRESHOLD * share).floor()
        return enhance.solarize(x, (threshold - 0.5) / 255)

    def solarize_add(x: Image, share: Shares) -> Image:
        added = _each((_ADDED * share).floor() / 255)
        return x + added * (_levels(x) < 128)

    return {
        "identity": lambda x, share: x,
        "autocontrast": autocontrast,
        "equalize": equalize,
        "invert": lambda x, share: 1 - x,
        "posterize": posterize,
        "solarize": solarize,
        "solarize_add": solarize_add,
        "color": lambda x, share: JITTER["saturation"](x, factor(share)),
        "contrast": lambda x, share: JITTER["contrast"](x, factor(share)),
        "brightness": lambda x, share: JITTER["brightness"](x, factor(share)),
        "sharpness": lambda x, share: enhance.sharpness(x, factor(share)),
    }


def _levels(x: Image) -> Image:
    """Return the nearest of 256 levels, 0 to 255."""
    return (255 * x).round()


def _each(amount: Shares) -> Float[Tensor, "n 1 1 1"]:
    return rearrange(amount, "n -> n 1 1 1")


def _by_channel(operation: Callable[[Tensor], Tensor], x: Image) -> Image:
    """Take channels for images of one channel: torchvision takes one or three."""
    n = len(x)
    return rearrange(
        operation(rearrange(x, "n c h w -> (n c) 1 h w")), "(n c) 1 h w -> n c h w", n=n
    )
