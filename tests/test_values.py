"""Images of every type keep it, mean what they should, and never leave their range."""

import numpy as np
import pytest
import torch
from refusal import refused

from infomin.augment import CropFlip, resize
from infomin.core.batching import take
from infomin.core.value_range import UNIT
from infomin.data import Batches
from infomin.data.values import (
    as_tensor,
    check_values,
    narrow_channels,
    resize_to_square,
    resolve_range,
)

pytestmark = pytest.mark.usefixtures("single")


def random(dtype, *shape, top=4095):
    high = 255 if dtype == torch.uint8 else top
    return (torch.rand(shape) * high).round().to(dtype)


TYPES = pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32])


@pytest.mark.parametrize("kind", ["u1", "<u2", ">u2", "<f2", "<f4", ">f4", "<f8"])
def test_arrays_become_tensors_of_three_types(kind):
    array = np.arange(6).reshape(2, 3).astype(kind)
    result = as_tensor(array[:, ::-1], "photo.png")
    expected = {"u1": torch.uint8, "u2": torch.uint16}.get(kind.strip("<>"), torch.float32)
    assert result.dtype == expected and result.tolist() == [[2, 1, 0], [5, 4, 3]]


def test_other_types_are_refused():
    for kind in ("i1", "i2", "u4", "i8", "?", "c8"):
        with refused(f"photo.png: holds {np.dtype(kind)}, expected uint8, uint16 or float"):
            as_tensor(np.zeros(3, kind), "photo.png")


def test_the_range_is_the_declared_one_or_that_of_the_type():
    assert resolve_range(None, torch.uint16) == (0, 65535)
    assert resolve_range(None, torch.uint8) == resolve_range(None, torch.float32) == UNIT
    assert resolve_range([0, 4095], torch.uint16) == (0, 4095)
    assert resolve_range([0, 1], torch.uint8) == UNIT
    with refused(
        r"data.value_range: expected \[0, 1\] for 8-bit images, got \[0, 255\]; leave it out"
    ):
        resolve_range([0, 255], torch.uint8)


def test_channels_and_values_are_checked():
    check_values(random(torch.uint16, 2, 4, 4), [0, 4095], "photo.png")
    check_values(torch.tensor([[[-1.0]], [[1.0]]]), [-1, 1], "photo.png")
    for channels, message in ((1, "1 channel"), (17, "17 channels")):
        with refused(f"photo.png: has {message}, expected 2 to 16"):
            check_values(random(torch.uint8, channels, 4, 4), None, "photo.png")
    with refused(r"photo.png: has values 4096 to 4096, outside \[0, 4095\]; declare their range"):
        check_values(torch.full((2, 1, 1), 4096).to(torch.uint16), [0, 4095], "photo.png")
    with refused(r"photo.png: has values nan to nan, outside \[0, 1\]"):
        check_values(torch.tensor([[[0.5]], [[torch.nan]]]), None, "photo.png")


@TYPES
def test_some_images_are_taken_bit_by_bit(dtype):
    images = random(dtype, 9, 2, 4, 4, top=65535)
    result = take(images, torch.tensor([7, 0, 7]))
    assert result.dtype == dtype
    assert torch.equal(result, torch.stack([images[7], images[0], images[7]]))


@TYPES
@pytest.mark.parametrize("shape", [(16, 16), (16, 40), (24, 9)])
def test_resized_images_keep_their_type_and_their_range(dtype, shape):
    images = random(dtype, 3, 2, *shape, top=65535)
    result = resize_to_square(images, 8)
    assert (result.dtype, result.shape) == (dtype, (3, 2, 8, 8))
    assert result.float().max() <= images.float().max()
    assert result.float().min() >= images.float().min()
    scale = 255 if dtype == torch.uint8 else 1
    off = (result.float() - resize(images, 8) * scale).abs().max()
    assert off <= (0.5 if dtype != torch.float32 else 65535 * 1e-6)


def test_a_mean_of_equal_values_is_no_larger_than_they_are():
    for value in (0.7, 3001.7, 4095.0):
        images = torch.full((1, 2, 37, 37), value)
        assert resize(images, 8).max() > value, "without that the next line proves nothing"
        assert torch.equal(resize_to_square(images, 8), images[..., :8, :8])


@TYPES
def test_images_of_the_size_are_kept_and_the_centre_is_cut_of_others(dtype):
    images = random(dtype, 3, 2, 8, 12)
    assert torch.equal(resize_to_square(images, None), images)
    assert torch.equal(resize_to_square(images, 8), images[..., 2:-2])
    assert torch.equal(resize_to_square(images[..., :8], 8), images[..., :8])


@TYPES
def test_crops_are_in_the_units_of_the_range(dtype):
    images = random(dtype, 6, 4, 12, 12)
    augment = CropFlip(12, scale=(1, 1), ratio=(1, 1), flip=0)
    (crops,), chosen = Batches(6, 4, 0, "test").crops(images, 0, augment, 1)
    expected = images.float()[chosen] / (255 if dtype == torch.uint8 else 1)
    assert crops.dtype == torch.float32 and torch.equal(crops, expected)


def test_channels_that_cover_little_of_the_range_are_named():
    x = torch.rand(200, 3, 8, 8) * torch.tensor([1.0, 0.09, 0.2])[:, None, None]
    assert narrow_channels(x, (0, 1)) == [1] and narrow_channels(x, (0, 10)) == [0, 1, 2]
    levels = (x * 65535).round().int().to(torch.uint16)
    assert narrow_channels(levels, (0, 65535)) == [1]
    assert narrow_channels((x * 255).byte(), (0, 1)) == [1]
