"""RandAugment's operations on pixels and places are torchvision's, and Pillow's."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from infomin.augment import OPERATIONS, RandAugment, RandAugmentParams
from infomin.augment.operations import GEOMETRIC, pixel_operations

STEP = 1 / 255
FILL = (0.485, 0.456, 0.406)
FILL_8 = [124, 116, 104]
LEVELS = [0.0, 1.3, 2.5, 4.0, 6.2, 7.5, 9.1, 9.9, 10.0]
PIXELS = [name for name in pixel_operations() if name != "identity"]


def fixed_params(levels, negative=False):
    """Parameters that apply the only operation of a list to each sample at its level."""
    n = len(levels)
    return RandAugmentParams(
        torch.zeros(n, 1, dtype=torch.long),
        torch.ones(n, 1, dtype=torch.bool),
        tensor(levels, dtype=torch.get_default_dtype()).view(n, 1),
        torch.full((n, 1), negative),
    )


def eight_bits(n=9, channels=3, height=24, width=32):
    """Images of 8 bits: smooth with a patch of noise; one is flat, one has few levels."""
    coarse = torch.rand(n, channels, 4, 4)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    smooth[:, :, :8, :8] = torch.rand(n, channels, 8, 8)
    images = (255 * smooth).round().byte()
    images[1], images[2] = 100, images[2] // 80 * 80
    return images


def pixel_oracle(name, level):
    """An operation of the paper's code on an image of 8 bits, by torchvision."""
    factor = level / 10 * 1.8 + 0.1
    return {
        "autocontrast": tv.autocontrast,
        "equalize": tv.equalize,
        "invert": tv.invert,
        # today's Pillow keeps at least one bit
        "posterize": lambda x: tv.posterize(x, b) if (b := int(level / 10 * 4)) else black(x),
        "solarize": lambda x: tv.solarize(x, t) if (t := int(level / 10 * 256)) < 256 else x,
        "solarize_add": lambda x: solarize_add(x, int(level / 10 * 110)),
        "color": lambda x: tv.adjust_saturation(x, factor),
        "contrast": lambda x: tv.adjust_contrast(x, factor),
        "brightness": lambda x: tv.adjust_brightness(x, factor),
        "sharpness": lambda x: tv.adjust_sharpness(x, factor),
    }[name]


def black(x):
    return tv.adjust_brightness(x, 0)


def solarize_add(x, amount):
    """The one operation that torchvision lacks, value by value as in the paper's code."""
    table = [min(255, i + amount) if i < 128 else i for i in range(256)]
    if isinstance(x, Image.Image):
        return x.point(table * 3)
    return tensor(table, dtype=torch.uint8)[x.long()]


def geometric_oracle(name, level, sign, height, width, **options):
    """A geometric transform of the paper's code, by torchvision."""
    fraction = sign * level / 10
    if name == "rotate":
        return lambda x: tv.rotate(x, 30 * fraction, **options)
    degrees = float(np.degrees(np.arctan(0.3 * fraction)))
    shear = {"shear_x": [degrees, 0.0], "shear_y": [0.0, degrees]}.get(name, [0.0, 0.0])
    x, y = -0.45 * width * fraction, -0.45 * height * fraction
    shift = {"translate_x": [x, 0.0], "translate_y": [0.0, y]}.get(name, [0.0, 0.0])
    return lambda x: tv.affine(x, 0.0, shift, 1.0, shear, center=[0, 0], **options)


def as_picture(image):
    return Image.fromarray(image.permute(1, 2, 0).numpy())


def as_tensor(picture):
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)


@pytest.mark.parametrize("kind", ["tensors", "pictures"])
@pytest.mark.parametrize("name", PIXELS)
def test_each_pixel_operation_is_torchvisions_on_8_bits(name, kind):
    """Also Pillow's, as the paper's code calls it: torchvision leaves pictures to it."""
    images = eight_bits()
    ours = RandAugment([name], n=1).apply(images / 255, fixed_params(LEVELS))
    assert ours.min() >= 0 and ours.max() <= 1
    # in 8 bits grey and blur are rounded, before the result is: the next test has no such steps
    steps = 2 if name in ("color", "contrast", "sharpness") else 1
    for image, result, level in zip(images, ours, LEVELS, strict=True):
        oracle = pixel_oracle(name, level)
        theirs = oracle(image) if kind == "tensors" else as_tensor(oracle(as_picture(image)))
        torch.testing.assert_close(result, theirs / 255, atol=steps * STEP + 1e-9, rtol=0)


@pytest.mark.parametrize("name", ["autocontrast", "color", "contrast", "brightness", "sharpness"])
def test_operations_without_levels_are_torchvisions_on_floats_too(name):
    images = torch.rand(9, 3, 12, 16)
    ours = RandAugment([name], n=1).apply(images, fixed_params(LEVELS))
    for image, result, level in zip(images, ours, LEVELS, strict=True):
        # torchvision's weights of luma are rounded, and sum to 0.9999
        torch.testing.assert_close(result, pixel_oracle(name, level)(image), atol=2e-4, rtol=0)


def test_operations_on_levels_use_the_nearest_one():
    images, params = torch.rand(9, 3, 12, 16), fixed_params(LEVELS)
    nearest = (255 * images).round() / 255
    for name in ("equalize", "posterize"):
        augment = RandAugment([name], n=1)
        assert torch.equal(augment.apply(images, params), augment.apply(nearest, params))
    solarize, more = RandAugment(["solarize"], n=1), RandAugment(["solarize_add"], n=1)
    ours, rounded = solarize.apply(images, params), solarize.apply(nearest, params)
    inverted = rounded != nearest
    assert torch.equal(ours, torch.where(inverted, 1 - images, images)), "values keep their digits"
    assert inverted[0].all() and not inverted[-1].any(), "no pixel at level 10, as in the code"
    added = more.apply(images, params) - images
    torch.testing.assert_close(added, more.apply(nearest, params) - nearest)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("name", list(GEOMETRIC))
def test_each_geometric_transform_is_torchvisions_on_pictures_of_8_bits(name, sign):
    images, options = eight_bits(), {"interpolation": InterpolationMode.BILINEAR, "fill": FILL_8}
    augment = RandAugment([name], n=1, fill=FILL)
    ours = augment.apply(images / 255, fixed_params(LEVELS, negative=sign < 0))
    for image, result, level in zip(images, ours, LEVELS, strict=True):
        theirs = geometric_oracle(name, level, sign, 24, 32, **options)(as_picture(image))
        # Pillow rounds to 8 bits, and so does the fill
        torch.testing.assert_close(result, as_tensor(theirs) / 255, atol=STEP + 1e-6, rtol=0)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("name", GEOMETRIC)
def test_each_geometric_transform_is_torchvisions_on_tensors_off_the_border(name, sign):
    images, options = torch.rand(9, 5, 24, 32), {"interpolation": InterpolationMode.BILINEAR}
    augment = RandAugment([name], n=1, fill=0.0)
    ours = augment.apply(images, fixed_params(LEVELS, negative=sign < 0))
    for image, result, level in zip(images, ours, LEVELS, strict=True):
        oracle = geometric_oracle(name, level, sign, 24, 32, **options)
        inside = oracle(torch.ones(1, 24, 32)) > 1 - 1e-9
        assert inside.double().mean() > 0.4
        expected = torch.where(inside, oracle(image), result)
        torch.testing.assert_close(result, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("channels", [1, 4])
def test_any_number_of_channels_except_for_color(channels):
    names = [name for name in OPERATIONS["infomin"] if name != "color"]
    images, params = torch.rand(9, channels, 12, 16), fixed_params(LEVELS)
    for name in [*names, "identity"]:
        augment = RandAugment([name], n=1)
        ours = augment.apply(images, params)
        assert ours.shape == images.shape and ours.min() >= 0 and ours.max() <= 1
        if name != "contrast":  # about the mean of all channels
            alone = [augment.apply(one, params) for one in images.split(1, dim=1)]
            torch.testing.assert_close(ours, torch.cat(alone, 1), atol=1e-12, rtol=0)
