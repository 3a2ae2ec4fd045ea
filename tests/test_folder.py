"""Any folder of images becomes a data set, in order, whole, and once read from the cache."""

import os

import numpy as np
import pytest
import torch
from PIL import Image
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


def test_train_and_val_folders_are_the_two_sets_with_classes_in_alphabetical_order(tmp_path):
    by_class(tmp_path / "set" / "train", 2)
    by_class(tmp_path / "set" / "val", 1)
    dataset = data.image_folder(str(tmp_path / "set"), size=8, cache=str(tmp_path / "cache"))
    assert (dataset.name, dataset.classes) == ("set", ("ant", "moth", "zebra"))
    assert (dataset.channels, dataset.size, dataset.skipped) == (3, 8, 0)
    assert dataset.train.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert dataset.test.labels.tolist() == [0, 1, 2]
    assert dataset.train.images.dtype == torch.uint8
    assert (
        dataset.train.images[:, :, 4, 4].tolist()
        == [list(c) for c in (GREEN, BLUE, RED) * 1][0:1] * 2 + [list(BLUE)] * 2 + [list(RED)] * 2
    )


@pytest.mark.parametrize("name", ["val", "test", "valid", "validation"])
def test_every_usual_name_of_a_test_folder_is_known(tmp_path, name):
    by_class(tmp_path / "train", 2)
    by_class(tmp_path / name, 1)
    dataset = data.image_folder(str(tmp_path), size=8, cache=str(tmp_path / "cache"))
    assert (len(dataset.train), len(dataset.test)) == (6, 3)


def test_class_folders_alone_hold_out_a_seeded_share_of_disjoint_images(tmp_path):
    root = tmp_path / "set"
    for i in range(20):
        picture(root / "ab"[i % 2] / f"{i}.png", (i, 0, 0), (8, 8))
    options = {"size": 8, "test_share": 0.25, "cache": str(tmp_path / "cache")}
    dataset = data.image_folder(str(root), seed=1, **options)
    train, test = (set(s.images[:, 0, 0, 0].tolist()) for s in (dataset.train, dataset.test))
    assert (len(train), len(test), train | test) == (15, 5, set(range(20)))
    assert dataset.train.labels.tolist() == [
        i % 2 for i in dataset.train.images[:, 0, 0, 0].tolist()
    ]
    assert not same(dataset, data.image_folder(str(root), seed=2, **options))
    assert same(dataset, data.image_folder(str(root), seed=1, **options))


def test_images_in_no_class_folder_are_unlabelled(tmp_path):
    for i in range(10):
        picture(tmp_path / "set" / f"{i}.JPG", BLUE)
    dataset = data.image_folder(str(tmp_path / "set"), size=8, cache=str(tmp_path / "cache"))
    assert dataset.classes == ()
    assert (len(dataset.train), len(dataset.test)) == (8, 2)
    assert dataset.train.labels.unique().tolist() == [-1]
    assert len(dataset.train.labelled()) == 0


def test_unlabelled_images_beside_class_folders_keep_both(tmp_path):
    by_class(tmp_path / "train", 2)
    picture(tmp_path / "train" / "loose.png", RED)
    by_class(tmp_path / "val", 1)
    dataset = data.image_folder(str(tmp_path), size=8, cache=str(tmp_path / "cache"))
    assert sorted(dataset.train.labels.tolist()) == [-1, 0, 0, 1, 1, 2, 2]
    assert len(dataset.train.labelled()) == 6


def test_class_folders_that_are_links_are_followed(tmp_path):
    by_class(tmp_path / "elsewhere")
    (tmp_path / "set").mkdir()
    for name in ("ant", "moth"):
        (tmp_path / "set" / name).symlink_to(tmp_path / "elsewhere" / name)
    dataset = data.image_folder(str(tmp_path / "set"), size=8, cache=str(tmp_path / "cache"))
    assert dataset.classes == ("ant", "moth")


def test_the_shorter_side_is_resized_and_the_centre_cropped(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 48, 3), dtype=np.uint8)
    wide = Image.fromarray(pixels)
    (tmp_path / "set").mkdir()
    for i in range(2):
        wide.save(tmp_path / "set" / f"{i}.png")
    dataset = data.image_folder(
        str(tmp_path / "set"), size=8, test_share=0.5, cache=str(tmp_path / "cache")
    )
    expected = wide.resize((24, 8), Image.Resampling.BILINEAR).crop((8, 0, 16, 8))
    assert np.array_equal(dataset.train.images[0].permute(1, 2, 0), expected)


def test_squares_of_one_size_are_kept_pixel_by_pixel_without_a_size(tmp_path):
    random = np.random.default_rng(0).integers(0, 256, (4, 9, 9, 3), dtype=np.uint8)
    (tmp_path / "set").mkdir()
    for i, image in enumerate(random):
        Image.fromarray(image).save(tmp_path / "set" / f"{i}.png")
    dataset = data.image_folder(str(tmp_path / "set"), None, cache=str(tmp_path / "cache"))
    read = torch.cat([dataset.test.images, dataset.train.images])
    assert sorted(map(bytes, read.permute(0, 2, 3, 1).numpy())) == sorted(map(bytes, random))


def test_grey_and_alpha_become_three_channels_on_demand(tmp_path):
    (tmp_path / "set").mkdir()
    Image.new("L", (8, 8), 77).save(tmp_path / "set" / "grey.png")
    Image.new("RGBA", (8, 8), (*RED, 128)).save(tmp_path / "set" / "alpha.png")
    dataset = data.image_folder(
        str(tmp_path / "set"), 8, convert=True, test_share=0.5, cache=str(tmp_path / "cache")
    )
    pixels = [s.images[0, :, 0, 0].tolist() for s in (dataset.train, dataset.test)]
    assert sorted(pixels) == [[77, 77, 77], list(RED)]


def test_a_cached_folder_is_identical_and_decodes_nothing_again(tmp_path, monkeypatch):
    by_class(tmp_path / "set")
    arguments = {"root": str(tmp_path / "set"), "size": 8, "cache": str(tmp_path / "cache")}
    first = data.image_folder(**arguments)
    decoded = []
    monkeypatch.setattr(decode.Decoder, "__call__", lambda *a: decoded.append(a))
    assert same(first, data.image_folder(**arguments))
    assert decoded == []
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_the_cache_lies_where_the_user_keeps_caches(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    data.image_folder(str(by_class(tmp_path / "set")), size=8)
    assert [p.name[:4] for p in (tmp_path / "home" / "infomin").iterdir()] == ["set-"]


@pytest.mark.parametrize("change", ["content", "time", "new file", "option"])
def test_a_changed_folder_is_read_again(tmp_path, change):
    root = by_class(tmp_path / "set")
    arguments = {"root": str(root), "size": 8, "cache": str(tmp_path / "cache")}
    data.image_folder(**arguments)
    if change == "content":
        for path in root.rglob("*.png"):
            picture(path, (1, 2, 3), (30, 30))
    elif change == "time":
        stat = (root / "ant" / "0.png").stat()
        os.utime(root / "ant" / "0.png", ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    elif change == "new file":
        picture(root / "ant" / "new.png", RED)
    else:
        arguments["size"] = 9
    again = data.image_folder(**arguments)
    assert len(list((tmp_path / "cache").iterdir())) == 2
    if change == "content":
        assert again.train.images[0, :, 0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize("damage", ["empty", "truncated", "garbage", "no metadata"])
def test_a_damaged_cache_is_read_again_from_the_source(tmp_path, damage):
    from safetensors.torch import save_file

    arguments = {"root": str(by_class(tmp_path / "set")), "size": 8, "cache": str(tmp_path / "c")}
    first = data.image_folder(**arguments)
    (cache,) = (tmp_path / "c").iterdir()
    content = cache.read_bytes()
    if damage == "no metadata":
        save_file({"train.images": first.train.images}, cache)
    else:
        cuts = {"empty": b"", "truncated": content[: len(content) // 2], "garbage": b"x" * 500}
        cache.write_bytes(cuts[damage])
    assert same(first, data.image_folder(**arguments))
    assert cache.read_bytes() == content
