"""RandAugment's operations are torchvision's, and Pillow's: values of pixels, and places."""

import numpy as np
import pytest
import torch
from drawn import eight_bits, plan
from PIL import Image
from torch import tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from infomin.augment import OPERATIONS, RandAugment
from infomin.augment.affine import MOTIONS
from infomin.augment.operations import pixel_operations

STEP = 1 / 255
FILL = (0.485, 0.456, 0.406)
FILL_8 = [124, 116, 104]
LEVELS = [0.0, 1.3, 2.5, 4.0, 6.2, 7.5, 9.1, 9.9, 10.0]
PIXELS = [name for name in pixel_operations() if name != "identity"]


def pixels(name, level):
    """An operation of the paper's code, of an image of 8 bits, with torchvision."""
    factor = level / 10 * 1.8 + 0.1
    return {
        "autocontrast": tv.autocontrast,
        "equalize": tv.equalize,
        "invert": tv.invert,
        # Pillow keeps one bit at least nowadays
        "posterize": lambda x: tv.posterize(x, b) if (b := int(level / 10 * 4)) else black(x),
        "solarize": lambda x: tv.solarize(x, t) if (t := int(level / 10 * 256)) < 256 else x,
        "solarize_add": lambda x: added(x, int(level / 10 * 110)),
        "color": lambda x: tv.adjust_saturation(x, factor),
        "contrast": lambda x: tv.adjust_contrast(x, factor),
        "brightness": lambda x: tv.adjust_brightness(x, factor),
        "sharpness": lambda x: tv.adjust_sharpness(x, factor),
    }[name]


def black(x):
    return tv.adjust_brightness(x, 0)


def added(x, amount):
    """The one operation that torchvision lacks, value by value as in the paper's code."""
    table = [min(255, i + amount) if i < 128 else i for i in range(256)]
    if isinstance(x, Image.Image):
        return x.point(table * 3)
    return tensor(table, dtype=torch.uint8)[x.long()]


def motion(name, level, sign, height, width):
    """A motion of the paper's code: what torchvision is told."""
    angle, shear, by = 0.0, [0.0, 0.0], [0.0, 0.0]
    share = sign * level / 10
    if name == "rotate":
        return lambda x, **told: tv.rotate(x, 30 * share, **told)
    tilt = float(np.degrees(np.arctan(0.3 * share)))
    if name == "shear_x":
        shear = [tilt, 0.0]
    elif name == "shear_y":
        shear = [0.0, tilt]
    elif name == "translate_x":
        by = [-0.45 * width * share, 0.0]
    else:
        by = [0.0, -0.45 * height * share]
    return lambda x, **told: tv.affine(x, angle, by, 1.0, shear, center=[0, 0], **told)


def as_picture(image):
    return Image.fromarray(image.permute(1, 2, 0).numpy())


def as_tensor(picture):
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)


@pytest.mark.parametrize("kind", ["tensors", "pictures"])
@pytest.mark.parametrize("name", PIXELS)
def test_each_change_of_pixels_is_torchvisions_on_8_bits(name, kind):
    """Also Pillow's, as the paper's code calls it: torchvision leaves pictures to it."""
    images = eight_bits()
    ours = RandAugment([name], n=1).apply(images / 255, plan([name], LEVELS))
    assert ours.min() >= 0 and ours.max() <= 1
    # in 8 bits grey and blur are rounded, before the result is: the next test has no such steps
    steps = 2 if name in ("color", "contrast", "sharpness") else 1
    for image, mine, level in zip(images, ours, LEVELS, strict=True):
        theirs = pixels(name, level)(image if kind == "tensors" else as_picture(image))
        theirs = theirs if kind == "tensors" else as_tensor(theirs)
        torch.testing.assert_close(mine, theirs / 255, atol=steps * STEP + 1e-9, rtol=0)


@pytest.mark.parametrize("name", ["autocontrast", "color", "contrast", "brightness", "sharpness"])
def test_what_needs_no_levels_is_torchvisions_on_floats_too(name):
    images = torch.rand(9, 3, 12, 16)
    ours = RandAugment([name], n=1).apply(images, plan([name], LEVELS))
    for image, mine, level in zip(images, ours, LEVELS, strict=True):
        # torchvision's weights of luma are rounded, and sum to 0.9999
        torch.testing.assert_close(mine, pixels(name, level)(image), atol=2e-4, rtol=0)


def test_between_levels_the_nearest_one_counts():
    images, at = torch.rand(9, 3, 12, 16), plan([""], LEVELS)
    nearest = (255 * images).round() / 255
    for name in ("equalize", "posterize"):
        change = RandAugment([name], n=1)
        assert torch.equal(change.apply(images, at), change.apply(nearest, at))
    solarize, more = RandAugment(["solarize"], n=1), RandAugment(["solarize_add"], n=1)
    ours, rounded = solarize.apply(images, at), solarize.apply(nearest, at)
    turned = rounded != nearest
    assert torch.equal(ours, torch.where(turned, 1 - images, images)), "values keep their digits"
    assert turned[0].all() and not turned[-1].any(), "of no pixel at level 10, as in the code"
    torch.testing.assert_close(more.apply(images, at) - images, more.apply(nearest, at) - nearest)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("name", list(MOTIONS))
def test_each_motion_is_torchvisions_on_pictures_of_8_bits(name, sign):
    images = eight_bits()
    ours = RandAugment([name], n=1, fill=FILL).apply(
        images / 255, plan([name], LEVELS, negative=sign < 0)
    )
    told = {"interpolation": InterpolationMode.BILINEAR, "fill": FILL_8}
    for image, mine, level in zip(images, ours, LEVELS, strict=True):
        theirs = motion(name, level, sign, 24, 32)(as_picture(image), **told)
        # Pillow rounds to 8 bits, and so does the fill
        torch.testing.assert_close(mine, as_tensor(theirs) / 255, atol=STEP + 1e-6, rtol=0)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("name", list(MOTIONS))
def test_each_motion_is_torchvisions_on_tensors_off_the_border(name, sign):
    images = torch.rand(9, 5, 24, 32)
    ours = RandAugment([name], n=1, fill=0.0).apply(images, plan([name], LEVELS, sign < 0))
    for image, mine, level in zip(images, ours, LEVELS, strict=True):
        move, told = (
            motion(name, level, sign, 24, 32),
            {"interpolation": InterpolationMode.BILINEAR},
        )
        inside = move(torch.ones(1, 24, 32), **told) > 1 - 1e-9
        assert inside.double().mean() > 0.4
        expected = torch.where(inside, move(image, **told), mine)
        torch.testing.assert_close(mine, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 16])
def test_any_number_of_channels_but_for_colour(channels):
    names = [name for name in OPERATIONS["infomin"] if name != "color"]
    images, levels = torch.rand(9, channels, 12, 16), LEVELS
    for name in [*names, "identity"]:
        change = RandAugment([name], n=1)
        ours = change.apply(images, plan([name], levels))
        assert ours.shape == images.shape and ours.min() >= 0 and ours.max() <= 1
        if name != "contrast":  # which is about the mean of all channels
            alone = [change.apply(one, plan([name], levels)) for one in images.split(1, dim=1)]
            torch.testing.assert_close(ours, torch.cat(alone, 1), atol=1e-12, rtol=0)
