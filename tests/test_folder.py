"""Folders of images become data sets: in order, complete, and read once, then from the cache."""

import os

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save
from sameness import same

from infomin import data
from infomin.data import decode

pytestmark = pytest.mark.usefixtures("single")

RED, GREEN, BLUE = (200, 30, 40), (20, 190, 50), (10, 60, 220)


def picture(path, color, size=(20, 16)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)
    return path


def by_class(root, count=5):
    for name, color in (("zebra", RED), ("ant", GREEN), ("moth", BLUE)):
        for i in range(count):
            picture(root / name / f"{i}.png", color)
    return root


@pytest.fixture
def read(tmp_path):
    """Read a folder with a cache beside it."""
    return lambda root=tmp_path / "set", size=8, **options: data.image_folder(
        str(root), size, cache=str(tmp_path / "cache"), **options
    )


@pytest.mark.parametrize("name", ["val", "validation"])
def test_the_two_sets_with_classes_in_alphabetical_order(tmp_path, read, name):
    by_class(tmp_path / "set" / "train", 2)
    by_class(tmp_path / "set" / name, 1)
    counts = []
    dataset = read(progress=lambda *count: counts.append(count))
    assert counts == [(i, 9) for i in range(1, 10)]
    assert (dataset.name, dataset.classes) == ("set", ("ant", "moth", "zebra"))
    assert (dataset.channels, dataset.size, dataset.skipped) == (3, 8, 0)
    assert dataset.train.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert dataset.test.labels.tolist() == [0, 1, 2]
    assert dataset.train.images.dtype == torch.uint8
    colors = [list(color) for color in (GREEN, GREEN, BLUE, BLUE, RED, RED)]
    assert dataset.train.images[:, :, 4, 4].tolist() == colors


def test_class_folders_alone_hold_out_a_seeded_share_of_disjoint_images(tmp_path, read):
    for i in range(20):
        picture(tmp_path / "set" / "ab"[i % 2] / f"{i}.png", (i, 0, 0), (8, 8))
    dataset = read(test_share=0.25, seed=1)
    train, test = (s.images[:, 0, 0, 0].tolist() for s in (dataset.train, dataset.test))
    assert (len(train), len(test), {*train, *test}) == (15, 5, set(range(20)))
    assert dataset.train.labels.tolist() == [i % 2 for i in train]
    assert not same(dataset, read(test_share=0.25, seed=2))
    assert same(dataset, read(test_share=0.25, seed=1))


def test_images_in_no_class_folder_are_unlabelled(tmp_path, read):
    for i in range(10):
        picture(tmp_path / "set" / f"{i}.JPG", BLUE)
    dataset = read()
    assert (dataset.classes, len(dataset.train), len(dataset.test)) == ((), 8, 2)
    assert dataset.train.labels.unique().tolist() == [-1]
    assert len(dataset.train.labelled()) == 0
    for split in ("train", "val"):
        by_class(tmp_path / "split" / split, 2)
    picture(tmp_path / "split" / "train" / "loose.png", RED)
    dataset = read(tmp_path / "split")
    assert sorted(dataset.train.labels.tolist()) == [-1, 0, 0, 1, 1, 2, 2]
    assert len(dataset.train.labelled()) == 6


def test_class_folders_that_are_links_are_followed(tmp_path, read):
    by_class(tmp_path / "elsewhere")
    (tmp_path / "set").mkdir()
    for name in ("ant", "moth"):
        (tmp_path / "set" / name).symlink_to(tmp_path / "elsewhere" / name)
    assert read().classes == ("ant", "moth")


def test_the_shorter_side_is_resized_and_the_centre_cropped(tmp_path, read):
    wide = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 48, 3), dtype=np.uint8))
    (tmp_path / "set").mkdir()
    for i in range(2):
        wide.save(tmp_path / "set" / f"{i}.png")
    dataset = read(test_share=0.5)
    expected = wide.resize((24, 8), Image.Resampling.BILINEAR).crop((8, 0, 16, 8))
    assert np.array_equal(dataset.train.images[0].permute(1, 2, 0), expected)


def test_squares_of_one_size_are_kept_pixel_by_pixel_without_a_size(tmp_path, read):
    images = np.random.default_rng(0).integers(0, 256, (4, 9, 9, 3), dtype=np.uint8)
    (tmp_path / "set").mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / "set" / f"{i}.png")
    dataset = read(size=None)
    result = torch.cat([dataset.test.images, dataset.train.images]).permute(0, 2, 3, 1).numpy()
    assert sorted(map(bytes, result)) == sorted(map(bytes, images))


def test_grey_and_alpha_become_three_channels_on_demand(tmp_path, read):
    (tmp_path / "set").mkdir()
    Image.new("L", (8, 8), 77).save(tmp_path / "set" / "grey.png")
    Image.new("RGBA", (8, 8), (*RED, 128)).save(tmp_path / "set" / "alpha.png")
    dataset = read(convert=True, test_share=0.5)
    pixels = [s.images[0, :, 0, 0].tolist() for s in (dataset.train, dataset.test)]
    assert sorted(pixels) == [[77, 77, 77], list(RED)]


def test_a_cached_folder_is_identical_and_decodes_nothing_again(tmp_path, read, monkeypatch):
    by_class(tmp_path / "set")
    first = read()
    monkeypatch.setattr(decode.Decoder, "__call__", lambda *a: pytest.fail("decoded again"))
    assert same(first, read())
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_the_default_cache_is_in_the_cache_folder_of_the_user(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    data.image_folder(str(by_class(tmp_path / "set")), size=8)
    assert [p.name[:4] for p in (tmp_path / "home" / "infomin").iterdir()] == ["set-"]


def test_a_changed_folder_is_read_again(tmp_path, read):
    root = by_class(tmp_path / "set", 2)
    read()
    stat = (root / "ant" / "0.png").stat()
    os.utime(root / "ant" / "0.png", ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    read()
    picture(root / "ant" / "new.png", RED)
    read()
    read(size=9)
    for path in root.rglob("*.png"):
        picture(path, (1, 2, 3), (30, 30))
    assert read().train.images[0, :, 0, 0].tolist() == [1, 2, 3]
    assert len(list((tmp_path / "cache").iterdir())) == 5


def test_a_damaged_cache_is_read_again_from_the_source(tmp_path, read):
    by_class(tmp_path / "set", 2)
    first = read().to(torch.device("cpu"))  # the file is mapped, and changes below
    (cache,) = (tmp_path / "cache").iterdir()
    content = cache.read_bytes()
    no_metadata = save({"train.images": first.train.images})
    for damaged in (b"", content[: len(content) // 2], b"x" * 500, no_metadata):
        cache.write_bytes(damaged)
        assert same(first, read())
        assert cache.read_bytes() == content
