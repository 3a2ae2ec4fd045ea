"""Folders of images as views: matched by file names, refused by name, one stack of channels."""

import numpy as np
import pytest
import torch
from PIL import Image
from refusal import refused
from sameness import same

from infomin import data

pytestmark = pytest.mark.usefixtures("single")


def write(root, samples, mode="RGB", suffix="png", side=12):
    """A picture for each sample, whose grey tells its number."""
    for i, sample in enumerate(samples):
        path = root / f"{sample}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if suffix == "npy":
            np.save(path, np.full((3, side, side), i / 100, np.float32))
        else:
            Image.new(mode, (side, side), (i, i, i) if mode == "RGB" else 100 + i).save(path)
    return str(root)


SAMPLES = [f"{split}/{kind}/{i}" for split in ("train", "val") for kind in "ab" for i in range(3)]


@pytest.fixture
def two(tmp_path):
    """Colours and depth of the same samples, in files of other kinds, written in another order."""
    views = {"rgb": write(tmp_path / "rgb", SAMPLES)}
    views["depth"] = write(tmp_path / "depth", SAMPLES, "L", "bmp")
    return views


def read(views, tmp_path, **options):
    return data.paired_folders(views, **{"size": 8, "cache": str(tmp_path / "cache")} | options)


def test_samples_that_lack_views_have_a_mask_and_zeros(tmp_path):
    missing, views = {"rgb": {1, 4, 6}, "depth": {1, 2, 5}, "heat": {0, 2, 4}}, {}
    for name, numbers in missing.items():
        there = [i for i in range(8) if i not in numbers]
        samples = [f"{split}/{'ab'[i % 2]}/{i}" for split in ("train", "val") for i in there]
        views[name] = write(tmp_path / name, samples, "L")
    samples = read(views, tmp_path, allow_missing=True)
    mask = [
        [i not in numbers for numbers in missing.values()]
        for i in (*range(0, 8, 2), *range(1, 8, 2))
    ]
    for part in (samples.train, samples.test):
        assert part.labels.tolist() == [0] * 4 + [1] * 4 and part.view_mask.tolist() == mask
        assert torch.equal(part.images.sum((2, 3)) > 0, part.view_mask)
    assert samples.missing_counts["test"] == {
        "samples": 8,
        "views": [5, 5, 5],
        "several": 5,
        "all": 2,
    }
    assert same(read(views, tmp_path, allow_missing=True), samples)  # from the cache
    with refused("data.views.rgb: .* has no image of a/4, .*; data.allow_missing=true uses what"):
        read(views, tmp_path)
    whole = {"rgb": views["rgb"], "again": views["rgb"]}
    assert read(whole, tmp_path, allow_missing=True).train.view_mask is None


def test_files_of_one_stem_are_one_sample(tmp_path, two):
    counts = []
    dataset = read(two, tmp_path, progress=lambda *count: counts.append(count))
    assert counts == 2 * [(i, 24) for i in range(1, 25)]  # headers, then pixels
    assert (dataset.name, dataset.classes, dataset.groups) == (
        "rgb+depth",
        ("a", "b"),
        ((0, 1, 2), (3,)),
    )
    assert dataset.channel_names == ("rgb 1", "rgb 2", "rgb 3", "depth")
    assert dataset.train.images.shape == dataset.test.images.shape == (6, 4, 8, 8)
    assert dataset.train.images.dtype == torch.uint8
    for part, first in ((dataset.train, 0), (dataset.test, 6)):
        assert part.labels.tolist() == [0, 0, 0, 1, 1, 1]
        numbers = torch.arange(first, first + 6)
        assert torch.equal(part.images[:, 0, 0, 0].long(), numbers)
        assert torch.equal(part.images[:, 3, 0, 0].long(), 100 + numbers)
    assert same(read(two, tmp_path), dataset)  # from the cache


def test_folders_without_a_test_set_hold_out_the_same_samples_of_all_views(tmp_path):
    samples = [str(i) for i in range(20)]
    views = {name: write(tmp_path / name, samples, "L") for name in ("x", "y", "z")}
    dataset = read(views, tmp_path, test_share=0.25)
    assert (len(dataset.train), len(dataset.test), dataset.channels) == (15, 5, 3)
    for images in (dataset.train.images, dataset.test.images):
        assert torch.equal(images[:, 0], images[:, 1]) and torch.equal(images[:, 0], images[:, 2])
    assert dataset.groups == ((0,), (1,), (2,)) and not dataset.classes


def test_views_of_other_types_become_float(tmp_path):
    samples = [str(i) for i in range(10)]
    views = {"rgb": write(tmp_path / "rgb", samples)}
    views["flow"] = write(tmp_path / "flow", samples, suffix="npy", side=20)
    images = read(views, tmp_path).train.images
    assert images.dtype == torch.float32 and images.shape[1] == 6
    torch.testing.assert_close(images[:, 0] * 255, images[:, 3] * 100)


def test_files_without_a_partner_are_refused_by_name(tmp_path, two):
    (tmp_path / "depth/train/a/1.bmp").unlink()
    message = "has no image of a/1, other views have; images: rgb 6, depth 5"
    with refused(f"data.views.depth: .*{message}"):
        read(two, tmp_path)
    for i in range(3):
        (tmp_path / f"rgb/train/b/{i}.png").unlink()
    (tmp_path / "rgb/train/a/2.png").unlink()
    with refused("data.views.rgb: .* has no image of a/2, b/0, b/1 and 1 more"):
        read(two, tmp_path)


def test_two_files_of_one_sample_are_refused(tmp_path, two):
    write(tmp_path / "rgb", ["train/a/1"], suffix="jpg")
    with refused("data.views.rgb: .*1.jpg and .*1.png are one sample; keep one"):
        read(two, tmp_path)


def test_other_sizes_are_refused_unless_they_are_resized(tmp_path, two):
    two["ir"] = write(tmp_path / "ir", SAMPLES, "L", side=20)
    assert read(two, tmp_path).channels == 5
    with refused("data.views: images of different sizes: rgb 12x12, depth 12x12, ir 20x20"):
        read(two, tmp_path, size=None)


@pytest.mark.parametrize("suffix", ["png", "bmp", "npy", "tiff"])
def test_views_of_one_sample_have_one_shape(tmp_path, suffix):
    views = {"rgb": write(tmp_path / "rgb", ["0", "1", "2"])}
    for size, message in (((48, 48), None), ((48, 24), "48x24"), ((24, 50), "24x50")):
        name = f"other {size}"
        wide = np.zeros((size[1], size[0], 3), np.uint8)
        views["other"] = write(tmp_path / name, ["0", "1"], suffix="png", side=24)
        path = tmp_path / name / f"2.{suffix}"
        if suffix == "npy":
            np.save(path, wide)
        else:
            Image.fromarray(wide).save(path)
        if message is None:
            assert read(views, tmp_path, test_share=0.34).train.images.shape[1:] == (6, 8, 8)
            continue
        with refused(
            f"data.views: .*rgb/2.png is 12x12, .*2.{suffix} is {message}; expected one sh"
        ):
            read(views, tmp_path, test_share=0.34)


def test_a_bad_file_and_an_empty_view_are_refused(tmp_path, two):
    (tmp_path / "rgb/train/a/1.png").write_bytes(b"no picture")
    with refused(r"rgb/train/a/1.png: cannot be read \(.*\)$"):
        read(two, tmp_path)
    for split in ("train", "val"):
        (tmp_path / "empty" / split).mkdir(parents=True)
    with refused(f"data.views.depth: no images in {tmp_path}/empty/train"):
        read({"rgb": two["rgb"], "depth": str(tmp_path / "empty")}, tmp_path)


def test_what_is_no_set_of_views_is_refused(tmp_path, two):
    for wrong in (None, {"rgb": two["rgb"]}, {"rgb": two["rgb"], "depth": None}):
        with refused("data.views: expected two folders or more by name"):
            read(wrong, tmp_path)
    with refused("data.views.ir: .*nowhere is not a folder"):
        read({**two, "ir": str(tmp_path / "nowhere")}, tmp_path)
    flat = write(tmp_path / "flat", ["0", "1"], "L")
    with refused("data.views: flat has no train/ and val/ as other views have"):
        read({**two, "flat": flat}, tmp_path)
