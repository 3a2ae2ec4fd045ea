"""Folders and images that cannot be used are named in one clear line."""

import pytest
import torch
from refusal import picture, refused, spoil

from infomin import data
from infomin.data import DataSet, ImageSet

pytestmark = pytest.mark.usefixtures("single")


def read(folder, size=8, **options):
    return data.image_folder(str(folder), size, cache=str(folder.parent / "cache"), **options)


def test_missing_and_empty_folders(tmp_path, folder):
    with refused("data.root: expected the folder that holds the images, got none"):
        data.image_folder()
    with refused(f"data.root: {tmp_path}/nowhere is not a folder; give the folder that holds"):
        read(tmp_path / "nowhere")
    picture(folder / "train" / "a" / "0.png")
    (folder / "val").mkdir()
    with refused("data.root: no images in .*/val; expected <class>/"):
        read(folder)


@pytest.mark.parametrize("how", ["truncated", "text", "empty"])
def test_an_image_that_cannot_be_read_is_named_or_skipped_on_demand(folder, how):
    bad = spoil(folder / "b" / "3.jpg", how)
    with refused(rf"{bad}: cannot be read \(.*\); data.skip_bad=true leaves it out"):
        read(folder)
    assert not (folder.parent / "cache").exists()
    for _ in range(2):  # decoded, and from the cache
        dataset = read(folder, skip_bad=True, test_share=0.25)
        assert (dataset.skipped, len(dataset.train), len(dataset.test)) == (1, 7, 2)


def test_a_folder_of_bad_images_only(tmp_path):
    spoil(picture(tmp_path / "images" / "a" / "0.jpg"), "text")
    with refused("data.root: none of the 1 images in .* can be read"):
        read(tmp_path / "images", skip_bad=True)


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("L", "{odd}: has 1 channel, expected 2 to 1024; data.convert=true makes grey three equal"),
        ("RGBA", "{odd} is 4 channels of uint8; data.convert=true makes grey .* and drops alpha"),
        ("LA", "{odd} is 2 channels of uint8; data.convert=true makes grey .* and drops alpha"),
        ("CMYK", "{odd}: has mode CMYK, expected RGB or grey; data.convert=true makes it RGB"),
    ],
)
def test_images_of_other_kinds_are_named_with_the_way_to_convert_them(folder, mode, message):
    odd = picture(folder / "a" / "odd.tif" if mode in ("LA", "CMYK") else folder / "odd.png", mode)
    with refused(message.format(odd=odd)):
        read(folder)
    assert len(read(folder, convert=True).train) == 9


def test_grey_images_of_16_bits(folder):
    odd = picture(folder / "a" / "odd.png", "I;16")
    with refused(f"{odd}: has 1 channel, expected 2 to 1024"):
        read(folder)
    with refused(f"images of different kinds: .*/a/0.jpg is 3 channels of uint8, {odd} is 3 .*16"):
        read(folder, convert=True)
    odd = picture(folder / "a" / "odd.tif", "I;16").rename(odd.with_suffix(".bmp"))
    (folder / "a" / "odd.png").unlink()
    with refused(f"images of different kinds: .*/a/0.jpg is 3 channels of uint8, {odd} is 3 .*16"):
        read(folder, convert=True)


def test_images_of_other_sizes_without_a_size(tmp_path, folder):
    odd = picture(folder / "b" / "odd.png", size=(9, 9))
    with refused(f"images of different sizes: .*/a/0.jpg is 8x8, {odd} is 9x9; set data.size=N"):
        read(folder, size=None)
    picture(odd, size=(8, 9))
    with refused(f"{odd}: is 8x9, expected a square; set data.size=N"):
        read(folder, size=None)
    picture(tmp_path / "split" / "train" / "a" / "0.png", size=(8, 8))
    picture(tmp_path / "split" / "val" / "a" / "0.png", size=(9, 9))
    with refused("split/train/.* is 8x8, .*split/val/.* is 9x9; set data.size=N"):
        read(tmp_path / "split", size=None)


def test_a_class_that_is_in_the_test_set_only(tmp_path):
    picture(tmp_path / "images" / "train" / "a" / "0.png")
    odd = picture(tmp_path / "images" / "val" / "b" / "0.png")
    with refused(f"{odd}: class 'b' has no training images, expected one of a; add some, or leave"):
        read(tmp_path / "images")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "data.size: expected at least 1 pixel, got 0"),
        ({"test_share": 0.01}, "data.test_share: 0.01 of 10 images leaves 0 for test"),
        ({"layout": "cwh"}, "data.layout: expected one of chw, hwc, got 'cwh'"),
    ],
)
def test_options_of_a_folder_out_of_range(folder, options, message):
    with refused(message):
        read(folder, **options)


def label_set(train, test=(0, 1)):
    sets = [
        ImageSet.of(torch.zeros(len(labels), 3, 4, 4, dtype=torch.uint8), torch.tensor(labels))
        for labels in (train, test)
    ]
    return DataSet("mine", *sets, ("cat", "dog"))


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ([0, 0, -1], [0], r"data mine: mode=semi needs at least 2 classes, got 1 \(cat\); put"),
        ([-1, -1], [0], "data mine: mode=semi needs at least 2 classes, got 0; put images"),
        ([0, 1], [-1], "data mine: mode=semi needs labelled test images, got none; put"),
    ],
)
def test_data_without_two_classes_to_tell_apart(train, test, message):
    with refused(message):
        label_set(train, test).check_classes("mode=semi")
    label_set([0, 1, -1]).check_classes("mode=semi")
