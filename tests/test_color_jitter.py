"""Jitter, grey and blur are torchvision's; their parameters are functions of the seed."""

import colorsys
import math

import pytest
import torch
from refusal import refused
from torchvision.transforms.v2 import functional as tv

from infomin.augment import ColorJitter, CropFlip, Pipeline, RandAugment
from infomin.augment.color_jitter import JITTER, check_unit_range, gray, hue, luma
from infomin.core import batching, rng

STRONG = {"brightness": 0.8, "contrast": 0.8, "saturation": 0.8, "hue": 0.2}
ALL = {**STRONG, "jitter": 0.8, "gray": 0.2, "blur": 0.5, "sigma": (0.1, 1.0)}
ORACLE = {
    "brightness": tv.adjust_brightness,
    "contrast": tv.adjust_contrast,
    "saturation": tv.adjust_saturation,
    "hue": tv.adjust_hue,
}
LUMA = 2e-4  # torchvision's weights are those of BT.601 rounded, and sum to 0.9999


def sample(photometric, n=16, seed=0):
    return photometric.sample(n, rng.generator(seed, "test"))


def colors(n=16, size=8):
    """Images with black, white, grey and pure colours among the pixels."""
    images = torch.rand(n, 3, size, size)
    images[:, :, 0] = images[:, :, 0].round()
    images[:, :, 1] = images[:, :1, 1]
    return images


def corners():
    """All colours of three levels, black, greys and ties of two channels among them."""
    level = torch.tensor([0.0, 0.3, 1.0])
    return torch.cartesian_prod(level, level, level).T.reshape(1, 3, 3, 9)


@pytest.mark.parametrize("name", list(ORACLE))
def test_each_operation_is_torchvisions(name):
    photometric = ColorJitter(**{name: STRONG[name]})
    images, params = colors(), sample(photometric)
    amounts = getattr(params, name)
    assert amounts.std() > 0.05 and params.jitter.all()
    for image, ours, amount in zip(images, photometric.apply(images, params), amounts, strict=True):
        expected = ORACLE[name](image, amount.item())
        torch.testing.assert_close(ours, expected, atol=LUMA, rtol=0)
        assert ours.min() >= 0 and ours.max() <= 1


def test_all_operations_come_in_the_sampled_order():
    photometric = ColorJitter(**STRONG, jitter=0.8, gray=0.2)
    images, params = colors(64), sample(photometric, 64)
    assert len({tuple(order.tolist()) for order in params.order}) > 15, "orders differ"
    assert 0 < params.gray.sum() < 32 < params.jitter.sum() < 64
    for i, ours in enumerate(photometric.apply(images, params)):
        expected = images[i]
        for index in params.order[i].tolist() if params.jitter[i] else []:
            name = list(ORACLE)[index]
            expected = ORACLE[name](expected, getattr(params, name)[i].item())
        if params.gray[i]:
            expected = tv.rgb_to_grayscale(expected, 3)
            assert torch.equal(ours[0], ours[1]) and torch.equal(ours[0], ours[2])
        # hue and contrast enlarge the difference of one luma
        torch.testing.assert_close(ours, expected, atol=10 * LUMA, rtol=0)


def test_blur_is_torchvisions_gaussian_with_the_sigma_of_each_sample():
    photometric, images = ColorJitter(blur=0.7, sigma=(0.3, 1.2)), torch.rand(16, 3, 12, 16)
    params = sample(photometric)
    assert 0 < (params.sigma == 0).sum() < 16 and params.sigma.max() <= 1.2
    for image, ours, sigma in zip(
        images, photometric.apply(images, params), params.sigma.tolist(), strict=True
    ):
        expected = tv.gaussian_blur(image, [9, 9], [sigma, sigma]) if sigma else image
        torch.testing.assert_close(ours, expected, atol=1e-7, rtol=0)


def test_a_blur_wider_than_the_image_reaches_its_edges():
    photometric = ColorJitter(blur=1, sigma=(50.0, 50.0))
    blurred = photometric.apply(torch.rand(1, 3, 4, 4), sample(photometric, 1))
    assert blurred.std((2, 3)).max() < 0.05


@pytest.mark.parametrize("turns", [0.0, -0.05, 1 / 6, 0.5, 3.0])
@pytest.mark.parametrize("images", [corners(), torch.rand(1, 3, 6, 9)], ids=["corners", "random"])
def test_hue_is_turned_as_in_hsv(images, turns):
    ours = hue(images, torch.tensor([turns])).flatten(2).squeeze(0).T
    for pixel, result in zip(images.flatten(2).squeeze(0).T.tolist(), ours, strict=True):
        h, s, v = colorsys.rgb_to_hsv(*pixel)
        expected = torch.tensor(colorsys.hsv_to_rgb((h + turns) % 1, s, v))
        torch.testing.assert_close(result, expected.to(result), atol=1e-12, rtol=0)


def test_hue_stays_within_0_and_1_in_float32_too():
    images = torch.cat([corners(), torch.rand(1, 3, 3, 9).round(decimals=1)]).float()
    for turns in torch.linspace(-1, 1, 21):
        turned = hue(images, turns.repeat(2).float())
        assert turned.min() >= 0 and turned.max() <= 1
        torch.testing.assert_close(turned.amax(1), images.amax(1), atol=3e-7, rtol=0)
        torch.testing.assert_close(turned.amin(1), images.amin(1), atol=3e-7, rtol=0)


def test_a_third_of_a_turn_moves_channels_and_two_turns_add_up():
    images, third = torch.rand(4, 3, 5, 6), torch.full((4,), 1 / 3)
    torch.testing.assert_close(hue(images, third), images.roll(1, 1))
    torch.testing.assert_close(hue(hue(images, third / 2), third / 2), hue(images, third))


@pytest.mark.parametrize("name", list(JITTER))
def test_operations_leave_their_input_alone_and_have_a_neutral_amount(name):
    images = torch.rand(3, 3, 5, 6)
    before = images.clone()
    same = JITTER[name](images, torch.full((3,), 0.0 if name == "hue" else 1.0))
    torch.testing.assert_close(same, images, atol=1e-15, rtol=0)
    JITTER[name](images, torch.tensor([0.1, 0.5, 1.9]))
    assert torch.equal(images, before)


def test_gray_is_a_saturation_of_zero():
    images = torch.rand(3, 3, 5, 6)
    torch.testing.assert_close(gray(images), JITTER["saturation"](images, torch.zeros(3)))
    assert torch.equal(luma(gray(images)), luma(gray(images)[:, [1, 2, 0]]))


@pytest.mark.parametrize("options", [{}, {"sigma": (1.0, 2.0)}, {**ALL, "jitter": 0}])
def test_without_operations_nothing_changes(options):
    photometric = ColorJitter(**options | {"gray": 0, "blur": 0})
    assert photometric.is_identity and not ColorJitter(**ALL).is_identity
    images, view = colors(), 3 * torch.randn(16, 2, 8, 8)
    assert torch.equal(photometric.apply(images, sample(photometric)), images)
    assert torch.equal(photometric.apply_to_view(view, sample(photometric)), view)


def test_amounts_are_uniform_within_their_ranges():
    from scipy.stats import kstest

    params, n = sample(ColorJitter(**{**ALL, "contrast": 1.5}), 4000), 4000
    ranges = {"brightness": (0.2, 1.8), "contrast": (0, 2.5), "saturation": (0.2, 1.8)}
    for name, (low, high) in (ranges | {"hue": (-0.2, 0.2)}).items():
        assert kstest(getattr(params, name).numpy(), "uniform", (low, high - low)).pvalue > 1e-3
    blurred = params.sigma[params.sigma > 0]
    assert kstest(blurred.numpy(), "uniform", (0.1, 0.9)).pvalue > 1e-3
    for name, p in {"jitter": 0.8, "gray": 0.2, "sigma": 0.5}.items():
        deviation = (p * (1 - p) / n) ** 0.5
        assert abs((getattr(params, name) > 0).double().mean() - p) < 4 * deviation


def test_strength_multiplies_the_four_and_nothing_else():
    once, weak = ColorJitter(**ALL), ColorJitter(**ALL, strength=0.5)
    half = ColorJitter(**ALL | {name: value / 2 for name, value in STRONG.items()})
    images = colors()
    assert torch.equal(weak.apply(images, sample(weak)), half.apply(images, sample(half)))
    assert torch.equal(sample(once).sigma, sample(weak).sigma)
    assert ColorJitter(**STRONG, strength=0).is_identity and ColorJitter(hue=0.2, strength=2.5)


def test_the_same_stream_samples_the_same_and_slices_and_chunks_agree(monkeypatch):
    photometric, images = ColorJitter(**ALL), colors()
    params, before = sample(photometric), images.clone()
    whole = photometric.apply(images, params)
    photometric.apply_to_view(images, params)
    assert torch.equal(images, before), "inputs are not changed"
    assert torch.equal(photometric.apply(images, sample(photometric)), whole)
    assert not torch.equal(photometric.apply(images, sample(photometric, seed=1)), whole)
    for i in (0, 6):
        part = photometric.apply(images[i : i + 6], params[i : i + 6])
        torch.testing.assert_close(part, whole[i : i + 6], atol=1e-12, rtol=0)
    monkeypatch.setattr(batching, "_CHUNK_NUMBERS", 2 * images[0].numel())
    assert torch.equal(photometric.apply(images, params), whole)
    assert photometric.apply(images[:0], sample(photometric, 0)).shape == (0, 3, 8, 8)


def test_views_are_scaled_about_their_mean_and_shifted_as_the_middle_of_an_image():
    photometric = ColorJitter(brightness=0.8, contrast=0.8)
    view, params = 2 * torch.rand(16, 5, 8, 8) - 1, sample(photometric)
    ours = photometric.apply_to_view(view, params)
    shift = ours.mean((2, 3)) - view.mean((2, 3))
    torch.testing.assert_close(shift, (params.brightness - 1)[:, None].expand(16, 5))
    scale = ours.std((2, 3)) / view.std((2, 3))
    torch.testing.assert_close(scale, params.contrast[:, None].expand(16, 5))
    assert ours.max() > 1, "nothing is clipped"

    middle = torch.full((16, 3, 2, 2), 0.5)
    bright = ColorJitter(brightness=0.8)
    as_image = 2 * bright.apply(middle, sample(bright)) - 1
    torch.testing.assert_close(bright.apply_to_view(2 * middle - 1, sample(bright)), as_image)


@pytest.mark.parametrize("channels", [1, 4])
def test_other_than_three_channels_have_brightness_contrast_and_blur(channels):
    photometric = ColorJitter(brightness=0.4, contrast=0.4, blur=0.5)
    images = torch.rand(4, channels, 8, 8)
    assert photometric.apply(images, sample(photometric, 4)).shape == images.shape


def test_operations_that_need_color_are_named():
    assert ColorJitter(brightness=0.4, contrast=0.4, blur=0.5).color_operations == []
    needed = ColorJitter(saturation=0.4, hue=0.1, gray=0.2).color_operations
    assert needed == ["saturation", "hue", "gray"]
    assert ColorJitter(hue=0.1, strength=0.0).color_operations == []
    colored = ColorJitter(saturation=0.1, gray=0.1)
    message = "photometric: saturation, gray need 3 channels, R G B, got 4; set photometric.satur"
    with refused(f"{message}ation=0 photometric.gray=0"):
        colored.apply(torch.rand(1, 4, 8, 8), sample(colored, 1))


@pytest.mark.parametrize("worst", [-0.5, 255.0, math.nan])
@pytest.mark.parametrize("augment", [ColorJitter(0.4), RandAugment("cmc", fill=0.5)])
def test_values_outside_0_to_1_are_refused_and_not_clipped(augment, worst):
    images = torch.rand(4, 3, 8, 8)
    images[2, 1, 3, 3] = worst
    with refused(r"expected float images within \[0, 1\], got values from .*; scale them first"):
        augment.apply(images, sample(augment, 4))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_floats_of_any_precision_are_images_and_integers_are_not(dtype):
    check_unit_range("photometric", torch.rand(4, 3, 8, 8).to(dtype))
    check_unit_range("photometric", torch.rand(0, 3, 8, 8).to(dtype))
    with refused(r"randaugment: expected float images within \[0, 1\], got torch.uint8; divide"):
        check_unit_range("randaugment", torch.zeros(2, 3, 8, 8, dtype=torch.uint8))


def test_a_pipeline_changes_the_crops_of_the_crop_alone():
    images = torch.randint(0, 256, (6, 3, 12, 16), dtype=torch.uint8)
    crop, photometric = CropFlip(8), ColorJitter(**ALL)
    pipeline = Pipeline(crop, photometric)
    params = pipeline.sample(6, 12, 16, rng.generator(0, "t"))
    crops = crop(images, rng.generator(0, "t"))
    whole = pipeline.apply(images, params)
    assert torch.equal(whole, photometric.apply(crops, params.photometric))
    assert torch.equal(pipeline(images, rng.generator(0, "t")), whole)
    torch.testing.assert_close(pipeline.apply(images[2:4], params[2:4]), whole[2:4])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"brightness": -1}, "photometric.brightness: expected at least 0, got -1"),
        ({"hue": 0.6}, "photometric.hue: expected at most 0.5, half a turn, got 0.6"),
        ({"hue": 0.2, "strength": 3}, "photometric.hue: expected .*, got 0.2 times strength 3"),
        ({"jitter": 1.5}, "photometric.jitter: expected a probability, got 1.5"),
        ({"sigma": (2, 1)}, r"photometric.sigma: expected 0 < low <= high, got \[2, 1\]"),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    with refused(message):
        ColorJitter(**options)
