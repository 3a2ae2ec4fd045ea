"""Images of every type keep it, mean what they should, and never leave their range."""

import numpy as np
import pytest
import torch
from batched import crops_of
from refusal import refused

from infomin.augment import CropFlip, resize
from infomin.core.batching import take
from infomin.core.value_range import UNIT
from infomin.data import Batches
from infomin.data.decode import Decoder
from infomin.data.value_span import describe_narrow_channels, narrow_channels, round_range
from infomin.data.values import as_tensor, resize_to_square, resolve_range

pytestmark = pytest.mark.usefixtures("single")


def random(dtype, *shape, top=4095):
    high = 255 if dtype == torch.uint8 else top
    return (torch.rand(shape) * high).round().to(dtype)


TYPES = pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32])


@pytest.mark.parametrize(
    "kind", ["u1", "<u2", ">u2", "<f2", "<f4", ">f4", "<f8", "i1", ">i2", "<i4", ">u4", "i8"]
)
def test_arrays_become_tensors_of_three_types(kind):
    array = np.arange(6).reshape(2, 3).astype(kind)
    result = as_tensor(array[:, ::-1], "photo.png")
    expected = {"u1": torch.uint8, "u2": torch.uint16}.get(kind.strip("<>"), torch.float32)
    assert result.dtype == expected and result.tolist() == [[2, 1, 0], [5, 4, 3]]


def test_other_types_are_refused():
    for kind, value in (("?", 0), ("c8", 0), ("i4", 2**24 + 1), ("u8", 2**63)):
        with refused(f"photo.png: holds {np.dtype(kind)}, expected uint8, uint16, or numbers that"):
            as_tensor(np.full(3, value, kind), "photo.png")


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
    Decoder(value_range=[0, 4095]).check(random(torch.uint16, 2, 4, 4), "photo.png")
    Decoder(value_range=[-1, 1]).check(torch.tensor([[[-1.0]], [[1.0]]]), "photo.png")
    with refused(
        "photo.png: has 1 channel, expected 2 to 1024; data.convert=true makes grey three"
    ):
        Decoder().check(random(torch.uint8, 1, 4, 4), "photo.png")
    with refused("photo.png: has 1025 channels, expected 2 to 1024$"):
        Decoder().check(random(torch.uint8, 1025, 1, 1), "photo.png")
    large = torch.full((2, 1, 1), 4096).to(torch.uint16)
    with refused(
        r"has values 4,096 to 4,096, outside \[0, 4095\]; set data.value_range=\[0,4100\]"
    ):
        Decoder(value_range=[0, 4095]).check(large, "photo.png")
    for value in (torch.nan, -torch.inf):
        with refused("photo.png: 1 of 2 values are NaN or infinite; data.fill=VALUE replaces them"):
            Decoder().check(torch.tensor([[[0.5]], [[value]]]), "photo.png")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (212, 11840, (0, 12000)),
        (0, 4090, (0, 4095)),
        (3, 255, (0, 255)),
        (0, 65535, (0, 65535)),
        (-0.97, 0.42, (-1, 0.5)),
        (251.3, 319.8, (251, 320)),
        (-9999, 3000, (-10000, 3000)),
        (0.001, 0.29, (0, 0.29)),
        (7, 7, (0, 7)),
        (0, 0, (0, 1)),
    ],
)
def test_round_ranges_hold_the_values(low, high, expected):
    assert round_range(low, high) == expected and expected[0] <= low <= high <= expected[1]


def measured(*images, **options):
    """The decoder that has checked images of some lowest and highest values."""
    decoder = Decoder(**options)
    for i, (low, high, dtype) in enumerate(images):
        decoder.check(torch.tensor([[[low]], [[high]]]).to(dtype), f"{i}.tif")
    return decoder


def test_an_undeclared_range_is_estimated_from_all_images_and_proposed():
    decoder = measured((0.1, 0.2, torch.float32), (212, 11840, torch.float32))
    with refused(
        r"values span 0.1 to 11,840 \(highest in 1.tif\), outside \[0, 1\], the range "
        r"of float32 images unless declared; set data.value_range=\[0,12000\]"
    ):
        decoder.facts(torch.float32)
    decoder = measured((212, 900, torch.uint16), (300, 11840, torch.uint16), view="depth")
    assert decoder.facts(torch.uint16) == {
        "value_range": (0, 65535),
        "advice": (
            "values span 212 to 11,840, a small part of [0, 65535], the range of uint16 "
            "images unless declared; set 'data.value_range={depth: [0,12000]}'",
        ),
        "resized_from": None,
    }
    assert not measured((212, 40000, torch.uint16)).advice()
    assert not measured((212, 900, torch.uint16), value_range=[0, 65535]).advice()


def test_many_images_outside_the_range_end_the_reading():
    spans = [(0, 2 + i / 1000, torch.float32) for i in range(1000)]
    measured(*spans[:999])
    with refused(
        r"values span 0 to 2.999 \(highest in 999.tif\), outside .*; set data.value_range=\[0,3\]"
    ):
        measured(*spans)


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
    (crops,), chosen = crops_of(Batches(6, 4, 0, "test"), images, 0, augment, 1)
    expected = images.float()[chosen] / (255 if dtype == torch.uint8 else 1)
    assert crops.dtype == torch.float32 and torch.equal(crops, expected)


def test_channels_that_cover_little_of_the_range_are_named():
    x = torch.rand(200, 3, 8, 8) * torch.tensor([1.0, 0.09, 0.2])[:, None, None]
    assert list(narrow_channels(x, (0, 1))) == [1]
    assert list(narrow_channels(x, (0, 10))) == [0, 1, 2]
    levels = (x * 65535).round().int().to(torch.uint16)
    assert list(narrow_channels(levels, (0, 65535))) == [1]
    assert list(narrow_channels((x * 255).byte(), (0, 1))) == [1]


def test_the_warning_of_narrow_channels_has_their_values_and_a_remedy():
    x = torch.linspace(0, 1, 101).expand(2, 3, 1, 101) * torch.tensor([1, 0.05, 1])[:, None, None]
    assert describe_narrow_channels(x * 4000, (0, 4095), ("R", "NIR", "B")) == (
        "values of NIR 2 to 198 cover less than a tenth of [0, 4095], and encoders hardly see "
        "them; bring all channels to one scale before you save them"
    )
    every = describe_narrow_channels(x[:, [1, 1]] * 4000, (0, 4095), ("a", "b"))
    assert every.endswith("set data.value_range=[0,200]")
    assert not describe_narrow_channels(x[:, ::2], (0, 1), ("a", "b"))
