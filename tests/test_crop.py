import math

import pytest
import torch
from refusal import refused
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as tv

from infomin.augment import CropFlip, JigSaw, RandAugment, Whole, resize
from infomin.augment.color_jitter import ColorJitter, floats
from infomin.core import rng
from infomin.core.errors import InputError


@pytest.mark.parametrize("size", [8, 17, 32, 48])
def test_crop_equals_torchvisions_antialiased_resized_crop(size):
    images = torch.rand(6, 3, 32, 40)
    augment = CropFlip(size, scale=(0.1, 1))
    boxes = augment.sample(6, 32, 40, rng.generator(0, "test"))
    ours = augment.apply(images, boxes)
    for i in range(6):
        box = [int(v[i]) for v in (boxes.top, boxes.left, boxes.height, boxes.width)]
        expected = tv.resized_crop(images[i], *box, [size, size], antialias=True)
        expected = tv.horizontal_flip(expected) if boxes.flip[i] else expected
        torch.testing.assert_close(ours[i], expected, atol=1e-10, rtol=0)


def test_boxes_are_distributed_as_torchvisions():
    from scipy.stats import ks_2samp

    augment, n = CropFlip(32, scale=(0.2, 1), ratio=(3 / 4, 4 / 3)), 4000
    boxes = augment.sample(n, 96, 96, rng.generator(0, "test"))
    image = torch.zeros(3, 96, 96)
    theirs = torch.tensor(
        [v2.RandomResizedCrop.get_params(image, [0.2, 1.0], [3 / 4, 4 / 3]) for _ in range(n)]
        if hasattr(v2.RandomResizedCrop, "get_params")
        else [_params(v2.RandomResizedCrop(32, (0.2, 1.0)), image) for _ in range(n)]
    )
    for ours, other in zip(
        (boxes.top, boxes.left, boxes.height, boxes.width), theirs.mT, strict=True
    ):
        assert ks_2samp(ours.numpy(), other.numpy()).pvalue > 1e-3
    assert abs(boxes.flip.double().mean() - 0.5) < 4 * math.sqrt(0.25 / n)


def _params(transform, image):
    p = transform.make_params([image])
    return p["top"], p["left"], p["height"], p["width"]


def test_every_box_lies_in_the_image():
    boxes = CropFlip(8, scale=(0.9, 1), ratio=(0.1, 10)).sample(500, 24, 60, rng.generator(1, "t"))
    assert (boxes.top >= 0).all() and (boxes.top + boxes.height <= 24).all()
    assert (boxes.left >= 0).all() and (boxes.left + boxes.width <= 60).all()


def test_uint8_becomes_unit_range():
    images = torch.full((2, 3, 8, 8), 255, dtype=torch.uint8)
    torch.testing.assert_close(resize(images, 5), torch.ones(2, 3, 5, 5))


def test_resize_to_the_same_size_changes_nothing():
    images = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(resize(images, 8), images, atol=1e-14, rtol=0)


def test_a_part_of_the_batch_gets_its_own_boxes():
    augment, images = CropFlip(8), torch.rand(6, 3, 16, 16)
    boxes = augment.sample(6, 16, 16, rng.generator(0, "t"))
    whole = augment.apply(images, boxes)
    part = augment.apply(images[2:4], boxes.part(slice(2, 4)))
    torch.testing.assert_close(part, whole[2:4])


def test_crops_are_differentiable():
    images = torch.rand(2, 3, 8, 8, requires_grad=True)
    CropFlip(5)(images, rng.generator(0, "t")).sum().backward()
    assert images.grad is not None


def test_the_same_stream_draws_the_same():
    a, b = (CropFlip(8)(torch.ones(2, 1, 9, 9), rng.generator(3, "x", 1)) for _ in range(2))
    assert torch.equal(a, b)
    assert rng.derive(3, "x", 1) != rng.derive(3, "x", 2) != rng.derive(4, "x", 2)


def test_seeded_restores_the_global_generator():
    before = torch.get_rng_state()
    with rng.seeded(0, "weights"):
        torch.rand(3)
    assert torch.equal(before, torch.get_rng_state())


def test_a_crop_larger_than_the_image_is_told():
    CropFlip(16).fits(16, 20)
    told = "augment.size: expected at most 16 pixels, the shorter side of images of 20x16, got 17; "
    with pytest.raises(InputError, match=f"^{told}set encoder.size=16, or data.size=17$"):
        CropFlip(17).fits(16, 20)
    Whole().fits(1, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "augment.size: expected a side of at least 1 pixel, got 0"),
        ({"size": 8, "scale": (0.0, 1.0)}, "augment.scale: expected 0 < low <= high <= 1"),
        ({"size": 8, "scale": (0.5, 1.5)}, "augment.scale"),
        ({"size": 8, "ratio": (2.0, 1.0)}, "augment.ratio: expected 0 < low <= high"),
        ({"size": 8, "flip": 2.0}, "augment.flip: expected a probability, got 2.0"),
    ],
)
def test_wrong_arguments_are_told(options, message):
    with pytest.raises(InputError, match=message):
        CropFlip(**options)


@pytest.mark.parametrize("size", [(9, 16), (16, 9), (7, 12), (12, 8)])
def test_a_centred_square_lies_on_whole_pixels(size):
    image = torch.rand(1, 3, *size)
    side = min(size)
    top, left = (size[0] - side) // 2, (size[1] - side) // 2
    cut = image[:, :, top : top + side, left : left + side]
    torch.testing.assert_close(resize(image, side), cut, atol=1e-12, rtol=0)
    only = CropFlip(side, (1, 1), (1, 1), flip=0)
    boxes = only.sample(4, *size, torch.Generator().manual_seed(0))
    assert boxes.top.tolist() == [top] * 4 and boxes.left.tolist() == [left] * 4


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("size", [64, 224, 240])
def test_half_precision_is_single_precision_rounded(dtype, size):
    images = (torch.rand(2, 3, 224, 224) > 0.5).to(dtype)
    crop, turn = CropFlip(size, (0.3, 1.0)), RandAugment(["rotate"], n=1, p=1.0)
    boxes = crop.sample(2, 224, 224, torch.Generator().manual_seed(0))
    plan = turn.sample(2, torch.Generator().manual_seed(0))
    found = crop.apply(images, boxes)
    assert found.dtype == dtype
    expected = crop.apply(images.float(), boxes)
    torch.testing.assert_close(found.float(), expected, atol=1e-2, rtol=0)
    turned = turn.apply(images, plan)
    assert turned.dtype == dtype and turned.min() >= 0 and turned.max() <= 1


@pytest.mark.parametrize("wrong", [[], [0.2], [0.2, 0.5, 1.0], [0.2, math.inf]])
def test_two_numbers_are_asked_for(wrong):
    made = {
        "augment.scale": lambda: CropFlip(8, wrong),
        "augment.ratio": lambda: CropFlip(8, ratio=wrong),
        "jigsaw.scale": lambda: JigSaw(32, wrong),
        "photometric.sigma": lambda: ColorJitter(blur=0.5, sigma=wrong),
    }
    for name, make in made.items():
        with refused(rf"{name}: expected \[low, high\], two numbers, got"):
            make()


def test_changes_of_colour_are_of_floats():
    with refused(r"randaugment: expected float images within \[0, 1\], got torch.uint8; divide"):
        floats("randaugment", torch.zeros(2, 3, 8, 8, dtype=torch.uint8))


@pytest.mark.parametrize("worst", [-0.5, 255.0, math.nan, math.inf])
@pytest.mark.parametrize("change", [ColorJitter(0.4), RandAugment("cmc", fill=0.5)])
def test_values_outside_0_to_1_are_refused_and_not_cut_off(change, worst):
    images = torch.rand(4, 3, 8, 8)
    images[2, 1, 3, 3] = worst
    with refused(r"expected float images within \[0, 1\], got values from .*; scale them first"):
        change.apply(images, change.sample(4, rng.generator(0, "test")))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_values_within_0_to_1_of_any_precision_are_images(dtype):
    floats("photometric", torch.rand(4, 3, 8, 8).to(dtype))
    floats("photometric", torch.rand(0, 3, 8, 8).to(dtype))
