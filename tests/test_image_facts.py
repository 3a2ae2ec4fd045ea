"""Range, size and alpha of images, said before training."""

import numpy as np
import pytest
from PIL import Image
from refusal import refused

from infomin import data, from_torch
from infomin.cli.launch import describe_images

pytestmark = pytest.mark.usefixtures("single")


@pytest.fixture
def read(tmp_path):
    """Save arrays as `.npy`, and read them twice: decoded, and from the cache."""

    def read(arrays, size=8, **options):
        (tmp_path / "set").mkdir()
        for i, array in enumerate(arrays):
            np.save(tmp_path / "set" / f"{i}.npy", array)
        options |= {"cache": str(tmp_path / "cache")}
        first, again = (data.image_folder(str(tmp_path / "set"), size, **options) for _ in range(2))
        assert (first.advice, first.resized_from) == (again.advice, again.resized_from)
        return again

    return read


def stacks(high, dtype=np.uint16, side=(30, 40)):
    return (np.random.default_rng(0).random((10, 4, *side)) * high).astype(dtype)


def said(dataset, capsys):
    describe_images(dataset, show=False)
    assert capsys.readouterr() == ("", "")
    describe_images(dataset)
    return capsys.readouterr()


def test_a_range_of_16_bits_is_proposed_before_training(read, capsys):
    images = stacks(11000)
    images[3, 0, 0, 0], images[:, :, 1, 1] = 11840, 212
    assert said(read(images), capsys).err == (
        f"warning: values span {images.min()} to 11,840, a small part of [0, 65535], the range of "
        "uint16 images unless declared; set data.value_range=[0,12000]\n"
    )


def test_a_declared_range_brings_no_proposal(read, capsys):
    dataset = read(stacks(11000), value_range=[0, 12000])
    assert not dataset.advice and not said(dataset, capsys).err


def test_a_range_of_floats_is_proposed_instead_of_reading(read):
    with refused(r"data.value_range: values span .* to .*; set data.value_range=\[0,255\]$"):
        read(stacks(255.5, np.float32).clip(0, 255))


def test_channels_of_other_scales_are_named(read, capsys):
    images = stacks(60000)
    images[:, 2] //= 100
    assert "values of channel_2 " in said(read(images), capsys).err


def test_a_resize_is_said_once(read, capsys):
    dataset = read(stacks(60000))
    assert dataset.resized_from == (40, 30)
    assert said(dataset, capsys).out == (
        "images of up to 40x30 pixels are resized to 8x8; budget.size=N changes that\n"
    )


def test_images_that_keep_their_size_are_not_mentioned(read, capsys):
    dataset = read(stacks(60000, side=(8, 8)), layout="chw")
    assert dataset.resized_from is None and said(dataset, capsys) == ("", "")


def test_pictures_that_are_resized_are_measured_too(tmp_path):
    for i in range(5):
        Image.new("RGB", (12 + i, 9)).save(tmp_path / f"{i}.png")
    assert data.image_folder(str(tmp_path), 8, cache=str(tmp_path / "c")).resized_from == (16, 9)


def test_alpha_that_is_kept_is_said():
    pictures = [Image.new("RGBA", (8, 8))] * 5
    assert from_torch(pictures).advice == (
        "channel 4 is declared as alpha and kept; convert=true drops it",
    )
    assert from_torch(pictures, convert=True).channels == 3


def save_views(tmp_path, depth):
    for i, values in enumerate(depth):
        for name in ("rgb", "depth"):
            (tmp_path / name).mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (i, 0, 0)).save(tmp_path / "rgb" / f"{i}.png")
        np.save(tmp_path / "depth" / f"{i}.npy", values)
    return {name: str(tmp_path / name) for name in ("rgb", "depth")}


def test_options_of_paired_views(tmp_path):
    depth = np.random.default_rng(0).random((5, 8, 8)).astype(np.float32) * 8000
    depth[0, 0, 0] = np.nan
    views, cache = save_views(tmp_path, depth), str(tmp_path / "cache")
    with refused("0.npy: 1 of 64 values are NaN .*; 'data.fill={depth: VALUE}' replaces them"):
        data.paired_folders(views, 8, cache=cache)
    with refused(r"values span 0 to .*; set 'data.value_range=\{depth: \[0,8000\]\}'"):
        data.paired_folders(views, 8, cache=cache, fill={"depth": 0})
    with refused("data.fill: expected views of rgb, depth, got ir"):
        data.paired_folders(views, 8, cache=cache, fill={"ir": 0})
    options = {"fill": {"depth": 0}, "value_range": {"depth": [0, 8000]}, "cache": cache}
    dataset = data.paired_folders(views, 8, **options)
    images = dataset.train.images
    index = (images[:, 0, 0, 0] * 255).round().int().numpy()
    expected = np.nan_to_num(depth[index]) / np.float32(8000)
    np.testing.assert_allclose(images[:, 3], expected, rtol=1e-6)
    grey = data.paired_folders(views, 8, convert={"depth": True}, **options)
    assert grey.channels == 6
    views = save_views(tmp_path, (np.nan_to_num(depth) / 2).astype(np.uint16))
    advice = data.paired_folders(views, 8, **options | {"value_range": None}).advice
    assert advice[0].endswith("set 'data.value_range={depth: [0,4000]}'")
