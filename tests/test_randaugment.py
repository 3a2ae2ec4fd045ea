"""RandAugment's operations are torchvision's; its draws are functions of the seed."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tv

from infomin import rng
from infomin.augment import OPERATIONS, CropFlip, Pipeline, Plan, RandAugment
from infomin.augment.affine import MOTIONS
from infomin.augment.operations import pixel_operations
from infomin.errors import InputError
from infomin.photometric import Photometric

STEP = 1 / 255
FILL = (0.485, 0.456, 0.406)
FILL_8 = [124, 116, 104]
LEVELS = [0.0, 1.3, 2.5, 4.0, 6.2, 7.5, 9.1, 9.9, 10.0]
PIXELS = [name for name in pixel_operations() if name != "identity"]


def plan(operations, levels, negative=False):
    """What makes every sample do its only operation at its level."""
    n = len(levels)
    return Plan(
        torch.zeros(n, 1, dtype=torch.long),
        torch.ones(n, 1, dtype=torch.bool),
        tensor(levels, dtype=torch.get_default_dtype()).view(n, 1),
        torch.full((n, 1), negative),
    )


def eight_bits(n=9, channels=3, height=24, width=32):
    """Images of 8 bits: smooth, and a patch of noise; one is flat, one has few levels."""
    coarse = torch.rand(n, channels, 4, 4)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    smooth[:, :, :8, :8] = torch.rand(n, channels, 8, 8)
    images = (255 * smooth).round().byte()
    images[1], images[2] = 100, images[2] // 80 * 80
    return images


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


def test_the_lists_are_those_of_the_papers_code():
    infomin = set(OPERATIONS["infomin"])
    assert len(OPERATIONS["infomin"]) == len(infomin) == 15
    assert infomin == {*PIXELS, *MOTIONS}
    cmc = ("autocontrast", "identity", "rotate", "sharpness", "shear_x", "shear_y")
    assert {*OPERATIONS["cmc"]} == {*cmc, "translate_x", "translate_y"}
    assert len(OPERATIONS["cmc"]) == 8


def test_draws_are_distributed_as_in_the_papers_code():
    from scipy.stats import chisquare, kstest, norm

    n, change = 6000, RandAugment(n=2, m=5, std=1)
    drawn = change.sample(n, rng.generator(0, "test"))
    assert kstest(drawn.level[:, 0].numpy(), norm(5, 1).cdf).pvalue > 1e-3
    for place in (0, 1):
        counts = drawn.operation[:, place].bincount(minlength=15)
        assert len(counts) == 15 and chisquare(counts.numpy()).pvalue > 1e-3
    pairs = (15 * drawn.operation[:, 0] + drawn.operation[:, 1]).bincount(minlength=225)
    assert chisquare(pairs.numpy()).pvalue > 1e-3, "with replacement, and independent"
    for share, found in ((0.5, drawn.happens), (0.5, drawn.negative)):
        assert abs(found.double().mean() - share) < 4 * (share * (1 - share) / (2 * n)) ** 0.5

    ten = RandAugment(n=1).sample(n, rng.generator(0, "test")).level
    assert ten.max() == 10 and abs((ten == 10).double().mean() - 0.5) < 4 * (0.25 / n) ** 0.5
    below = (10 - ten[ten < 10]).numpy()
    assert kstest(below, "halfnorm", (0, 0.5)).pvalue > 1e-3
    low = RandAugment(m=0.5, std=2).sample(n, rng.generator(0, "test")).level
    assert low.min() == 0 and RandAugment(std=0).sample(9, rng.generator(0, "t")).level.min() == 10


def test_amounts_are_distributed_as_by_the_papers_code():
    """Rotations are measured on images: a sign, and the angle of a level cut off at 10."""
    from scipy.stats import ks_2samp

    n, change = 2000, RandAugment(["translate_x"], n=1, m=8, std=1, p=1, fill=0)
    ramp = torch.arange(40.0).expand(n, 1, 1, 40) / 40
    middle = change(ramp, rng.generator(0, "test"))[:, 0, 0, 19:21].mean(1)
    inside = middle > 0  # else moved so far that the middle shows the fill
    assert inside.all()
    moved = (40 * middle - 19.5).numpy()
    source = np.random.default_rng(0)
    level = np.clip(source.normal(8, 1, n), 0, 10)
    expected = 40 * 0.45 * level / 10 * np.where(source.random(n) > 0.5, -1, 1)
    assert ks_2samp(moved, expected).pvalue > 1e-3


def test_every_round_changes_what_the_one_before_made():
    images, change = torch.rand(64, 3, 12, 16), RandAugment(n=3, fill=FILL)
    drawn = change.sample(64, rng.generator(0, "t"))
    ours = change.apply(images, drawn)
    for i in range(64):
        x = images[i : i + 1]
        for place in range(3):
            if drawn.happens[i, place]:
                name = change.operations[drawn.operation[i, place]]
                at = plan([name], [drawn.level[i, place].item()], bool(drawn.negative[i, place]))
                x = RandAugment([name], n=1, fill=FILL).apply(x, at)
        torch.testing.assert_close(ours[i], x[0], atol=1e-12, rtol=0)


def test_the_same_stream_draws_the_same_and_a_part_gets_its_own():
    change, images = RandAugment(), torch.rand(32, 3, 12, 16)
    before, drawn = images.clone(), change.sample(32, rng.generator(0, "t"))
    whole = change.apply(images, drawn)
    assert torch.equal(images, before), "images that come in are left alone"
    assert torch.equal(change(images, rng.generator(0, "t")), whole)
    assert not torch.equal(change(images, rng.generator(1, "t")), whole)
    for part in (slice(0, 8), slice(8, 32), slice(5, 6)):
        alone = change.apply(images[part], drawn.part(part))
        torch.testing.assert_close(alone, whole[part], atol=1e-12, rtol=0)
    untouched = (whole == images).flatten(1).all(1)
    assert (untouched | drawn.happens.any(1)).all() and not untouched[drawn.happens.all(1)].all()


@pytest.mark.usefixtures("single")
def test_float32_is_as_good():
    change, images = RandAugment(fill=FILL), eight_bits(64) / 255
    drawn = change.sample(64, rng.generator(0, "t"))
    exact = change.apply(images.double(), drawn)
    ours = change.apply(images, drawn)
    assert ours.dtype == torch.float32
    off = (ours - exact).abs()
    # the border of a motion, and the nearest of 256 levels, can be decided the other way
    assert (off > 1e-4).double().mean() < 1e-3


def test_in_a_pipeline_it_comes_after_blur_and_before_grey():
    photometric = Photometric(0.8, 0.8, 0.8, 0.2, jitter=0.8, gray=0.5, blur=0.5, sigma=(0.5, 1))
    crop, change = CropFlip(12), RandAugment(["invert"], n=1, p=1)
    images = torch.randint(0, 256, (32, 3, 16, 20), dtype=torch.uint8)
    with_it, without = Pipeline(crop, photometric, change), Pipeline(crop, photometric)
    steps = with_it.sample(32, 16, 20, rng.generator(0, "t"))
    same = without.sample(32, 16, 20, rng.generator(0, "t"))
    for name in ("hue", "sigma", "gray", "order"):
        assert torch.equal(getattr(steps.changes, name), getattr(same.changes, name))
    assert torch.equal(steps.boxes.left, same.boxes.left)
    torch.testing.assert_close(with_it.apply(images, steps), 1 - without.apply(images, same))

    tinted = RandAugment(["translate_x"], n=1, p=1, fill=FILL)
    out = Pipeline(crop, photometric, tinted)(images, rng.generator(0, "t"))
    gray = (out[:, :1] == out).flatten(1).all(1)
    assert torch.equal(gray, steps.changes.gray), "the fill of grey samples is grey as well"
    part = with_it.apply(images[4:9], steps.part(slice(4, 9)))
    torch.testing.assert_close(part, with_it.apply(images, steps)[4:9], atol=1e-12, rtol=0)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_black_and_white_images_stay_within_the_range(value):
    images = torch.full((64, 3, 8, 8), value)
    out = RandAugment(n=4, p=1)(images, rng.generator(0, "t"))
    assert out.isfinite().all() and out.min() >= 0 and out.max() <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"operations": "all"}, "randaugment.operations: expected one of infomin, cmc, got 'all'"),
        ({"operations": ["flip"]}, "randaugment.operations: expected one of rotate, .*'flip'"),
        ({"operations": []}, "randaugment.operations: expected at least one, got none"),
        ({"n": 0}, "randaugment.n: expected a whole number of at least 1, got 0"),
        ({"m": 11}, r"randaugment.m: expected a magnitude within \[0, 10\], got 11"),
        ({"std": -1}, "randaugment.std: expected at least 0, got -1"),
        ({"p": 1.5}, "randaugment.p: expected a probability, got 1.5"),
        ({"fill": 124}, r"randaugment.fill: expected numbers within \[0, 1\], got 124"),
        ({"fill": []}, r"randaugment.fill: expected numbers within \[0, 1\], got \[\]"),
    ],
)
def test_wrong_arguments_are_told(options, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        RandAugment(**options)


def test_images_that_do_not_fit_are_told():
    told = "randaugment: color needs 3 channels, R G B, got 4; set randaugment=cmc randaugment.fill"
    with pytest.raises(InputError, match=f"^{told}=0.5, or leave it out of randaugment.operations"):
        RandAugment(["color", "color", "rotate"]).fits(4)
    told = (
        "randaugment.fill: expected one number, or 4, one a channel, got .*; set randaugment.fill"
    )
    with pytest.raises(InputError, match=f"^{told}=0.5$"):
        RandAugment("cmc", fill=FILL)(torch.rand(2, 4, 8, 8), rng.generator(0, "t"))
    RandAugment("cmc").fits(4)
