"""Values without meaning: declared as no data, masked, NaN or infinite; refused or filled."""

import numpy as np
import pytest
import tifffile
from refusal import refused

from infomin import from_torch
from infomin.data.decode import Decoder

pytestmark = pytest.mark.usefixtures("single")

RANDOM = np.random.default_rng(0)


def save_no_data(path, kind, mark, shape=(8, 8, 4)):
    pixels = RANDOM.integers(1, 100, shape).astype(kind)
    pixels[0, :3] = mark
    tags = [(42113, 2, 0, str(mark), True)]
    options = {"planarconfig": "contig"} if shape[2] == 4 else {}
    photometric = "rgb" if shape[2] == 3 else "minisblack"
    tifffile.imwrite(path, pixels, photometric=photometric, extratags=tags, **options)
    return pixels


LOWEST = -3.4028234663852886e38
NO_DATA = [("u1", 255), ("u2", 65535), ("i2", -9999), ("f4", -9999), ("f4", np.nan), ("f4", LOWEST)]


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(("kind", "mark"), NO_DATA)
def test_declared_no_data_is_refused_or_filled(tmp_path, kind, mark, channels):
    path = tmp_path / "a.tif"
    pixels = save_no_data(path, kind, mark, (8, 8, channels))
    options = {} if kind in ("u1", "u2") else {"value_range": [0, 100]}
    count = 3 * channels
    with refused(f"{path}: {count} of {64 * channels} values are declared as no data; data.fill=V"):
        Decoder(None, **options)(path)
    image = Decoder(None, fill=50, **options)(path).numpy()
    pixels[0, :3] = 50
    assert np.array_equal(image, pixels.transpose(2, 0, 1))


def test_values_like_no_data_that_are_not_declared_are_kept(tmp_path):
    pixels = np.full((4, 8, 8), 65535, np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack")
    assert Decoder(None, layout="chw")(tmp_path / "a.tif").numpy().min() == 65535


@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_a_mask_in_a_tiff_is_no_data(tmp_path, kind):
    path, pixels = tmp_path / "a.tif", np.zeros((8, 8, 3), kind) + 100
    mask = np.ones((8, 8), bool)
    mask[0, :3] = False
    with tifffile.TiffWriter(path) as writer:
        writer.write(pixels, photometric="rgb", metadata=None)
        writer.write(mask, photometric="mask", subfiletype=4, metadata=None)
    with refused(f"{path}: 9 of 192 values are declared as no data; data.fill=VALUE replaces them"):
        Decoder(None)(path)
    pixels[0, :3] = 9
    assert np.array_equal(Decoder(None, fill=9)(path).numpy(), pixels.transpose(2, 0, 1))


def test_masked_values_are_refused_or_filled():
    images = np.ma.masked_greater(RANDOM.random((9, 3, 8, 8)).astype(np.float32), 0.9)
    count = int(images.mask.sum())
    with refused(f"train: {count} of 1,728 values are declared as no data; fill=VALUE replaces"):
        from_torch(images)
    filled = from_torch(images, fill=0.0).train.images
    assert filled.max() <= 0.9 and (filled == 0).any()


@pytest.mark.parametrize("suffix", ["npy", "tif"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_counted(tmp_path, suffix, value):
    pixels = RANDOM.random((4, 20, 20)).astype(np.float32)
    pixels[0, 0, :2] = value
    path = tmp_path / f"a.{suffix}"
    if suffix == "npy":
        np.save(path, pixels)
    else:
        tifffile.imwrite(path, pixels, photometric="minisblack")
    for options in ({}, {"value_range": [0, 2]}):
        with refused(f"{path}: 2 of 1,600 values are NaN or infinite; data.fill=VALUE replaces"):
            Decoder(None, **options)(path)
    pixels[0, 0, :2] = 0.5
    assert np.array_equal(Decoder(None, fill=0.5)(path).numpy(), pixels)


@pytest.mark.parametrize("fill", [np.nan, np.inf, True])
def test_a_fill_that_is_no_number_is_refused(fill):
    with refused("data.fill: expected a number, got"):
        Decoder(None, fill=fill)


def test_a_fill_that_the_type_does_not_hold_is_refused(tmp_path):
    save_no_data(tmp_path / "a.tif", "u2", 65535)
    for fill in (-1, 0.5, 70000):
        with refused(f"data.fill={fill:g}: expected a value of uint16"):
            Decoder(None, fill=fill)(tmp_path / "a.tif")
