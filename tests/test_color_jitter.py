"""Photometric operations are torchvision's; their draws are functions of the seed."""

import pytest
import torch
from torchvision.transforms.v2 import functional as tv

from infomin.augment import CropFlip, Pipeline
from infomin.augment.color_jitter import ColorJitter
from infomin.core import rng
from infomin.core.errors import InputError

STRONG = {"brightness": 0.8, "contrast": 0.8, "saturation": 0.8, "hue": 0.2}
ALL = {**STRONG, "jitter": 0.8, "gray": 0.2, "blur": 0.5, "sigma": (0.1, 1.0)}
ORACLE = {
    "brightness": tv.adjust_brightness,
    "contrast": tv.adjust_contrast,
    "saturation": tv.adjust_saturation,
    "hue": tv.adjust_hue,
}
LUMA = 2e-4  # torchvision's weights are those of BT.601 rounded, and sum to 0.9999


def draw(photometric, n=16, seed=0):
    return photometric.sample(n, rng.generator(seed, "test"))


def colors(n=16, size=8):
    """Images with black, white, grey and pure colours among the pixels."""
    images = torch.rand(n, 3, size, size)
    images[:, :, 0] = images[:, :, 0].round()
    images[:, :, 1] = images[:, :1, 1]
    return images


@pytest.mark.parametrize("name", list(ORACLE))
def test_each_change_is_torchvisions(name):
    photometric = ColorJitter(**{name: STRONG[name]})
    images, changes = colors(), draw(photometric)
    amounts = getattr(changes, name)
    assert amounts.std() > 0.05 and changes.jitter.all()
    for image, ours, amount in zip(
        images, photometric.apply(images, changes), amounts, strict=True
    ):
        expected = ORACLE[name](image, amount.item())
        torch.testing.assert_close(ours, expected, atol=LUMA, rtol=0)
        assert ours.min() >= 0 and ours.max() <= 1


def test_all_changes_come_in_the_order_drawn():
    photometric = ColorJitter(**STRONG, jitter=0.8, gray=0.2)
    images, changes = colors(64), draw(photometric, 64)
    assert len({tuple(order.tolist()) for order in changes.order}) > 15, "orders differ"
    assert 0 < changes.gray.sum() < 32 < changes.jitter.sum() < 64
    for i, ours in enumerate(photometric.apply(images, changes)):
        expected = images[i]
        for place in changes.order[i].tolist() if changes.jitter[i] else []:
            name = list(ORACLE)[place]
            expected = ORACLE[name](expected, getattr(changes, name)[i].item())
        if changes.gray[i]:
            expected = tv.rgb_to_grayscale(expected, 3)
            assert torch.equal(ours[0], ours[1]) and torch.equal(ours[0], ours[2])
        # what one luma is off, hue and contrast enlarge
        torch.testing.assert_close(ours, expected, atol=10 * LUMA, rtol=0)


def test_blur_is_torchvisions_gaussian_of_each_samples_deviation():
    photometric, images = ColorJitter(blur=0.7, sigma=(0.3, 1.2)), torch.rand(16, 3, 12, 16)
    changes = draw(photometric)
    assert 0 < (changes.sigma == 0).sum() < 16 and changes.sigma.max() <= 1.2
    for image, ours, sigma in zip(
        images, photometric.apply(images, changes), changes.sigma.tolist(), strict=True
    ):
        expected = tv.gaussian_blur(image, [9, 9], [sigma, sigma]) if sigma else image
        torch.testing.assert_close(ours, expected, atol=1e-7, rtol=0)


def test_a_blur_wider_than_the_image_reaches_its_edges():
    photometric = ColorJitter(blur=1, sigma=(50.0, 50.0))
    once = photometric.apply(torch.rand(1, 3, 4, 4), draw(photometric, 1))
    assert once.std((2, 3)).max() < 0.05


@pytest.mark.parametrize("options", [{}, {"sigma": (1.0, 2.0)}, {**ALL, "jitter": 0}])
def test_nothing_asked_changes_nothing(options):
    photometric = ColorJitter(**options | {"gray": 0, "blur": 0})
    assert photometric.idle and not ColorJitter(**ALL).idle
    images, view = colors(), 3 * torch.randn(16, 2, 8, 8)
    assert torch.equal(photometric.apply(images, draw(photometric)), images)
    assert torch.equal(photometric.apply_to_view(view, draw(photometric)), view)


def test_images_that_come_in_are_left_alone():
    photometric, images = ColorJitter(**ALL), colors()
    before = images.clone()
    photometric.apply(images, draw(photometric))
    photometric.apply_to_view(images, draw(photometric))
    assert torch.equal(images, before)


def test_amounts_are_uniform_within_their_ranges():
    from scipy.stats import kstest

    changes, n = draw(ColorJitter(**{**ALL, "contrast": 1.5}), 4000), 4000
    ranges = {"brightness": (0.2, 1.8), "contrast": (0, 2.5), "saturation": (0.2, 1.8)}
    for name, (low, high) in (ranges | {"hue": (-0.2, 0.2)}).items():
        assert kstest(getattr(changes, name).numpy(), "uniform", (low, high - low)).pvalue > 1e-3
    blurred = changes.sigma[changes.sigma > 0]
    assert kstest(blurred.numpy(), "uniform", (0.1, 0.9)).pvalue > 1e-3
    shares = {"jitter": 0.8, "gray": 0.2, "sigma": 0.5}
    for name, share in shares.items():
        deviation = (share * (1 - share) / n) ** 0.5
        assert abs((getattr(changes, name) > 0).double().mean() - share) < 4 * deviation


def test_strength_multiplies_the_four_and_nothing_else():
    once, weak = ColorJitter(**ALL), ColorJitter(**ALL, strength=0.5)
    half = ColorJitter(**ALL | {name: value / 2 for name, value in STRONG.items()})
    images = colors()
    assert torch.equal(weak.apply(images, draw(weak)), half.apply(images, draw(half)))
    assert torch.equal(draw(once).sigma, draw(weak).sigma)
    assert ColorJitter(**STRONG, strength=0).idle and ColorJitter(hue=0.2, strength=2.5)


def test_the_same_stream_draws_the_same_and_a_part_gets_its_own():
    photometric, images = ColorJitter(**ALL), colors()
    changes = draw(photometric)
    whole = photometric.apply(images, changes)
    assert torch.equal(photometric.apply(images, draw(photometric)), whole)
    assert not torch.equal(photometric.apply(images, draw(photometric, seed=1)), whole)
    for i in (0, 6):
        part = photometric.apply(images[i : i + 6], changes.part(slice(i, i + 6)))
        torch.testing.assert_close(part, whole[i : i + 6], atol=1e-12, rtol=0)


def test_views_are_scaled_about_their_mean_and_moved_as_the_middle_of_an_image():
    photometric = ColorJitter(brightness=0.8, contrast=0.8)
    view, changes = 2 * torch.rand(16, 5, 8, 8) - 1, draw(photometric)
    ours = photometric.apply_to_view(view, changes)
    mean = view.mean((2, 3))
    moved = ours.mean((2, 3)) - mean
    torch.testing.assert_close(moved, (changes.brightness - 1)[:, None].expand(16, 5))
    scale = ours.std((2, 3)) / view.std((2, 3))
    torch.testing.assert_close(scale, changes.contrast[:, None].expand(16, 5))
    assert ours.max() > 1, "nothing is cut off"

    middle = torch.full((16, 3, 2, 2), 0.5)
    bright = ColorJitter(brightness=0.8)
    as_image = 2 * bright.apply(middle, draw(bright)) - 1
    torch.testing.assert_close(bright.apply_to_view(2 * middle - 1, draw(bright)), as_image)


def test_views_are_blurred_and_jittered_as_often_as_images():
    photometric, view = ColorJitter(**ALL), torch.randn(64, 2, 8, 8)
    changes = draw(photometric, 64)
    same = (photometric.apply_to_view(view, changes) == view).flatten(1).all(1)
    assert torch.equal(same, ~changes.jitter & (changes.sigma == 0)) and 0 < same.sum() < 20


@pytest.mark.parametrize("channels", [1, 2, 4, 7])
def test_other_than_three_channels_have_brightness_contrast_and_blur(channels):
    photometric = ColorJitter(brightness=0.4, contrast=0.4, blur=0.5)
    images = torch.rand(4, channels, 8, 8)
    assert photometric.apply(images, draw(photometric, 4)).shape == images.shape
    told = "photometric: saturation, gray need 3 channels, R G B, got 4; set photometric.saturation"
    with pytest.raises(InputError, match=rf"^{told}=0 photometric.gray=0$"):
        ColorJitter(saturation=0.1, gray=0.1).apply(torch.rand(1, 4, 8, 8), draw(photometric, 1))


def test_a_pipeline_changes_the_very_crops_that_would_be_cut_without_it():
    images = torch.randint(0, 256, (6, 3, 12, 16), dtype=torch.uint8)
    crop, photometric = CropFlip(8), ColorJitter(**ALL)
    pipeline = Pipeline(crop, photometric)
    steps = pipeline.sample(6, 12, 16, rng.generator(0, "t"))
    crops = crop(images, rng.generator(0, "t"))
    whole = pipeline.apply(images, steps)
    assert torch.equal(whole, photometric.apply(crops, steps.changes))
    assert torch.equal(pipeline(images, rng.generator(0, "t")), whole)
    part = pipeline.apply(images[2:4], steps.part(slice(2, 4)))
    torch.testing.assert_close(part, whole[2:4], atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"brightness": -1}, "photometric.brightness: expected at least 0, got -1"),
        ({"hue": -0.1}, "photometric.hue: expected at least 0, got -0.1"),
        ({"hue": 0.6}, "photometric.hue: expected at most 0.5, half a turn, got 0.6"),
        ({"strength": -1}, "photometric.strength: expected at least 0, got -1"),
        (
            {"hue": 0.2, "strength": 3},
            "photometric.hue: expected at most 0.5, half a turn, got 0.2 times strength 3",
        ),
        ({"jitter": 1.5}, "photometric.jitter: expected a probability, got 1.5"),
        ({"gray": -0.5}, "photometric.gray: expected a probability, got -0.5"),
        ({"blur": 2}, "photometric.blur: expected a probability, got 2"),
        ({"sigma": (0, 1)}, r"photometric.sigma: expected 0 < low <= high, got \[0, 1\]"),
        ({"sigma": (2, 1)}, r"photometric.sigma: expected 0 < low <= high, got \[2, 1\]"),
    ],
)
def test_wrong_arguments_are_told(options, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        ColorJitter(**options)


def test_what_asks_for_colour_is_named():
    assert ColorJitter(brightness=0.4, contrast=0.4, blur=0.5).of_color == []
    assert ColorJitter(saturation=0.4, hue=0.1, gray=0.2).of_color == ["saturation", "hue", "gray"]
    assert ColorJitter(hue=0.1, strength=0.0).of_color == []
