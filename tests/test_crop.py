"""Crops are torchvision's; their parameters are functions of the seed."""

import math

import pytest
import torch
from refusal import refused
from scipy.stats import ks_2samp
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as tv

from infomin.augment import CropFlip, JigSaw, RandAugment, Whole, crop, resize
from infomin.augment.color_jitter import ColorJitter
from infomin.augment.crop import Axis, resample
from infomin.core import rng


def generator(*purpose):
    return rng.generator(0, *(purpose or ("test",)))


@pytest.mark.parametrize("size", [8, 32, 48])
def test_crop_equals_torchvisions_antialiased_resized_crop(size):
    images = torch.rand(6, 3, 32, 40)
    augment = CropFlip(size, scale=(0.1, 1))
    boxes = augment.sample(6, 32, 40, generator())
    ours = augment.apply(images, boxes)
    for i in range(6):
        box = [int(v[i]) for v in (boxes.top, boxes.left, boxes.height, boxes.width)]
        expected = tv.resized_crop(images[i], *box, [size, size], antialias=True)
        expected = tv.horizontal_flip(expected) if boxes.flip[i] else expected
        torch.testing.assert_close(ours[i], expected, atol=1e-10, rtol=0)


def test_boxes_are_distributed_as_torchvisions():
    augment, n = CropFlip(32, scale=(0.2, 1), ratio=(3 / 4, 4 / 3)), 4000
    boxes = augment.sample(n, 96, 96, generator())
    theirs, image = v2.RandomResizedCrop(32, (0.2, 1.0)), torch.zeros(3, 96, 96)
    params = [theirs.make_params([image]) for _ in range(n)]
    for name in ("top", "left", "height", "width"):
        other = [p[name] for p in params]
        assert ks_2samp(getattr(boxes, name).numpy(), other).pvalue > 1e-3
    assert abs(boxes.flip.double().mean() - 0.5) < 4 * math.sqrt(0.25 / n)


def test_every_box_lies_in_the_image():
    boxes = CropFlip(8, scale=(0.9, 1), ratio=(0.1, 10)).sample(500, 24, 60, generator())
    assert (boxes.top >= 0).all() and (boxes.top + boxes.height <= 24).all()
    assert (boxes.left >= 0).all() and (boxes.left + boxes.width <= 60).all()


def test_resize_keeps_images_of_that_size_and_maps_uint8_to_the_unit_range():
    images = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(resize(images, 8), images, atol=1e-14, rtol=0)
    white = torch.full((2, 3, 8, 8), 255, dtype=torch.uint8)
    torch.testing.assert_close(resize(white, 5), torch.ones(2, 3, 5, 5))


def test_a_slice_of_the_batch_gets_its_own_boxes():
    augment, images = CropFlip(8), torch.rand(6, 3, 16, 16)
    boxes = augment.sample(6, 16, 16, generator())
    part = augment.apply(images[2:4], boxes[2:4])
    torch.testing.assert_close(part, augment.apply(images, boxes)[2:4])


def test_the_same_stream_samples_the_same():
    a, b = (CropFlip(8)(torch.ones(2, 1, 9, 9), generator("x", 1)) for _ in range(2))
    assert torch.equal(a, b)
    assert rng.derive(3, "x", 1) != rng.derive(3, "x", 2) != rng.derive(4, "x", 2)


def test_seeded_restores_the_global_generator():
    before = torch.get_rng_state()
    with rng.seeded(0, "weights"):
        torch.rand(3)
    assert torch.equal(before, torch.get_rng_state())


def test_a_crop_larger_than_the_image_is_refused():
    CropFlip(16).check_size(16, 20)
    message = "augment.size: expected at most 16 pixels, the shorter side of images of 20x16, got "
    with refused(f"{message}17; set encoder.size=16, or data.size=17"):
        CropFlip(17).check_size(16, 20)
    Whole().check_size(1, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "augment.size: expected a side of at least 1 pixel, got 0"),
        ({"size": 8, "scale": (0.0, 1.0)}, "augment.scale: expected 0 < low <= high <= 1"),
        ({"size": 8, "ratio": (2.0, 1.0)}, "augment.ratio: expected 0 < low <= high"),
        ({"size": 8, "flip": 2.0}, "augment.flip: expected a probability, got 2.0"),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    with refused(message):
        CropFlip(**options)


@pytest.mark.parametrize("wrong", [[0.2], [0.2, 0.5, 1.0], [0.2, math.inf]])
def test_ranges_have_two_numbers(wrong):
    constructors = {
        "augment.scale": lambda: CropFlip(8, wrong),
        "augment.ratio": lambda: CropFlip(8, ratio=wrong),
        "jigsaw.scale": lambda: JigSaw(32, wrong),
        "photometric.sigma": lambda: ColorJitter(blur=0.5, sigma=wrong),
    }
    for name, construct in constructors.items():
        with refused(rf"{name}: expected \[low, high\], two numbers, got"):
            construct()


@pytest.mark.parametrize("size", [(9, 16), (12, 7)])
def test_a_centred_square_lies_on_whole_pixels(size):
    image = torch.rand(1, 3, *size)
    side = min(size)
    top, left = (size[0] - side) // 2, (size[1] - side) // 2
    cut = image[:, :, top : top + side, left : left + side]
    torch.testing.assert_close(resize(image, side), cut, atol=1e-12, rtol=0)
    boxes = CropFlip(side, (1, 1), (1, 1), flip=0).sample(4, *size, generator())
    assert boxes.top.tolist() == [top] * 4 and boxes.left.tolist() == [left] * 4


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("size", [64, 240])
def test_half_precision_is_single_precision_rounded(dtype, size):
    images = (torch.rand(2, 3, 224, 224) > 0.5).to(dtype)
    augment, rotate = CropFlip(size, (0.3, 1.0)), RandAugment(["rotate"], n=1, p=1.0)
    boxes = augment.sample(2, 224, 224, generator())
    ours, expected = augment.apply(images, boxes), augment.apply(images.float(), boxes)
    assert ours.dtype == dtype
    torch.testing.assert_close(ours.float(), expected, atol=1e-2, rtol=0)
    turned = rotate(images, generator())
    assert turned.dtype == dtype and turned.min() >= 0 and turned.max() <= 1


@pytest.mark.parametrize("start", [(0.0, 2.0, 7.0, 3.0), (0.5, 2.5, 6.5, 3.5)])
@pytest.mark.parametrize("size", [12, 30])
def test_one_grid_sample_is_two_products_for_boxes_that_do_not_shrink(start, size, monkeypatch):
    """Also for centred boxes, which may begin in the middle of a pixel."""
    images = torch.rand(4, 5, 12, 11, requires_grad=True)
    rows = Axis(torch.tensor(start), torch.tensor([11.0, 8.0, 5.0, 2.0]), 12, size)
    columns = Axis(torch.tensor(start).flip(0), torch.tensor([2.0, 4.0, 8.0, 7.0]), 11, size)
    flip = torch.tensor([True, False, True, False])
    ours = resample(images, rows, columns, flip)
    (gradient,) = torch.autograd.grad(ours.square().sum(), images)
    monkeypatch.setattr(crop, "_resample_bilinear", crop._resample_antialiased)
    expected = resample(images, rows, columns, flip)
    torch.testing.assert_close(ours, expected, atol=1e-13, rtol=0)
    (slow,) = torch.autograd.grad(expected.square().sum(), images)
    torch.testing.assert_close(gradient, slow, atol=1e-12, rtol=0)


def test_whole_images_of_the_same_size_stay_bit_for_bit_or_are_flipped():
    images = (4095 * torch.rand(3, 2, 7, 7)).round().float()
    whole = Axis(torch.zeros(3), torch.full((3,), 7.0), 7, 7)
    ours = resample(images, whole, whole, torch.tensor([False, True, False]))
    assert torch.equal(ours[::2], images[::2]) and torch.equal(ours[1], images[1].flip(2))
