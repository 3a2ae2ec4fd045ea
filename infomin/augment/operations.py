r"""RandAugment's operations on pixel values.

They were defined on 8 bits. Our images are float in [0, 1], and stay in [0, 1]:

* operations that scale, invert or stretch values use the values as they are, without rounding;
* operations that depend on the 256 levels (equalize, posterize, solarize, solarize_add) use the
  nearest level; equalize and posterize also return levels;
* values outside [0, 1] (brightness, contrast, colour, sharpness above 1) are clipped, as 8 bits
  clip them: that is the definition of the operation.

On multiples of 1/255 all agree with torchvision and Pillow, the oracles of the tests, within 1/255.
An operation takes images and one number per sample, the fraction of the largest magnitude.
"""

from functools import cache

from einops import rearrange

from infomin.augment.color_jitter import (
    Amounts,
    Operation,
    brightness,
    contrast,
    per_image,
    saturation,
)
from infomin.core.shapes import Image

# At level 10 (the paper's code, RandAugment.py, *_level_to_arg)
_BITS = 4  # kept by posterize, fewer below level 10: the variant of EfficientNet on TPUs
_THRESHOLD = 256  # of solarize: no pixel is as bright at level 10
_ADDED = 110  # by solarize_add, to pixels below 128
_FACTORS = (0.1, 1.9)  # of brightness, contrast, colour and sharpness at level 0 and 10


@cache
def pixel_operations() -> dict[str, Operation]:
    """Return the operations by name, batched; torchvision's or kornia's where they take a batch."""
    from kornia import enhance  # heavy
    from torchvision.transforms.v2 import functional as tv

    def factor(fraction: Amounts) -> Amounts:
        low, high = _FACTORS
        return low + (high - low) * fraction

    def autocontrast(x: Image, _: Amounts) -> Image:
        gray_images = rearrange(x, "n c h w -> (n c) 1 h w")  # torchvision takes 1 or 3 channels
        stretched = tv.autocontrast(gray_images)
        return rearrange(stretched, "(n c) 1 h w -> n c h w", n=len(x))

    def equalize(x: Image, _: Amounts) -> Image:
        return tv.equalize(_levels(x).byte()).to(x) / 255

    def posterize(x: Image, fraction: Amounts) -> Image:
        step = per_image((2 ** (8 - (_BITS * fraction).floor())).to(x))
        return (_levels(x) / step).floor() * step / 255

    def solarize(x: Image, fraction: Amounts) -> Image:
        threshold = (_THRESHOLD * fraction).floor()
        return enhance.solarize(x, (threshold - 0.5) / 255)

    def solarize_add(x: Image, fraction: Amounts) -> Image:
        added = per_image((_ADDED * fraction).floor() / 255)
        return x + added * (_levels(x) < 128)

    return {
        "identity": lambda x, _: x,
        "autocontrast": autocontrast,
        "equalize": equalize,
        "invert": lambda x, _: 1 - x,
        "posterize": posterize,
        "solarize": solarize,
        "solarize_add": solarize_add,
        "color": lambda x, fraction: saturation(x, factor(fraction)),
        "contrast": lambda x, fraction: contrast(x, factor(fraction)),
        "brightness": lambda x, fraction: brightness(x, factor(fraction)),
        "sharpness": lambda x, fraction: enhance.sharpness(x, factor(fraction)),
    }


def _levels(x: Image) -> Image:
    """Return the nearest of 256 levels, 0 to 255."""
    return (255 * x).round()
