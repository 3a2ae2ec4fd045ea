"""Frames in colour and depth become labelled patches of four channels."""

import numpy as np
import pytest
import torch
from PIL import Image
from real import DATA, needs
from refusal import refused, spoil
from sameness import same

from infomin import data

pytestmark = pytest.mark.usefixtures("single")

BED, DESK, OTHER = 3, 13, 37  # as files have them; the last is no class of ours


@pytest.fixture
def root(tmp_path):
    """Four frames a set: left half red, near and bed, right half blue, far and desk or other."""
    for split in ("train", "test"):
        for i in range(4):
            rgb, depth, label = (np.full((80, 120, n), 255, np.uint8) for n in (3, 1, 1))
            inside, left, right = slice(8, -8), slice(8, 60), slice(60, -8)
            rgb[inside, left], rgb[inside, right] = (200, 0, 0), (0, 0, 200)
            depth[inside, left], depth[inside, right] = 40, 90
            label[inside, left], label[inside, right] = BED, DESK if i % 2 else OTHER
            for part, plane in (("rgb", rgb), ("depth", depth[..., 0]), ("label40", label[..., 0])):
                suffix = "jpg" if part == "rgb" else "png"
                path = tmp_path / "rooms" / split / part / f"{i:04}.{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                options = {"quality": 100, "subsampling": 0} if part == "rgb" else {}
                Image.fromarray(plane).save(path, **options)
    return tmp_path / "rooms"


def read(root, **options):
    options = {"size": None, "patch": 16, "patches": 30, "per_class": 10, **options}
    return data.nyuv2(str(root), cache=str(root.parent / "cache"), **options)


def test_a_patch_has_four_channels_and_the_class_of_most_of_it(root):
    dataset = read(root)
    assert dataset.channel_names == ("R", "G", "B", "depth") and dataset.value_range == (0, 1)
    assert dataset.classes == ("bed", "desk")
    for part in (dataset.train, dataset.test):
        assert part.images.shape == (120, 4, 16, 16) and part.images.dtype == torch.uint8
        near = part.images[:, 3].float().mean((1, 2)) < 65  # more than half is near, and a bed
        assert near[part.labels == 0].all() and not near[part.labels == 1].any()
        assert set(part.images[:, 3].unique().tolist()) == {40, 90}, "no border is left"
        assert part.images[:, 1].max() < 10
    assert (dataset.train.labels + 1).bincount().tolist() == [100, 10, 10]


def test_rare_classes_and_other_things_have_no_label(root):
    dataset = read(root, per_class=40)
    assert dataset.classes == ("bed",) and (dataset.train.labels == 0).sum() == 40
    with refused("data nyuv2: evaluation needs at least 2 classes, got 1"):
        dataset.check_classes("evaluation")


def test_the_same_patches_every_time_others_with_another_seed_and_colours_alone(root):
    first = read(root, size=8)
    (cached,) = (root.parent / "cache").iterdir()
    cached.unlink()
    assert same(first, read(root, size=8))
    assert not same(first, read(root, size=8, seed=1))
    colors = read(root, size=8, channels="rgb")
    assert colors.channel_names == ("R", "G", "B")
    assert torch.equal(colors.train.images, first.train.images[:, :3])
    assert torch.equal(colors.train.labels, first.train.labels)


def test_what_is_wrong_with_a_folder_is_refused(root, tmp_path):
    with refused("data.root: expected the folder of train/rgb, .*, got none"):
        data.nyuv2()
    with refused(rf"data.root: no images in {tmp_path}/train/rgb; expected \*.jpg there"):
        read(tmp_path)
    with refused("data.channels: expected one of rgb, rgbd, got 'depth'"):
        read(root, channels="depth")
    with refused(
        "data.patch: expected 1..64 pixels to fit into .*0000.jpg without its border, got 65"
    ):
        read(root, patch=65)
    with refused("data.per_class: expected at least 1, got 0"):
        read(root, per_class=0)
    depth = root / "train" / "depth" / "0001.png"
    whole = depth.read_bytes()
    with refused(rf"{spoil(depth, 'truncated')}: cannot be read \("):
        read(root)
    depth.write_bytes(whole)
    Image.open(depth).resize((40, 40)).save(depth)
    with refused(f"{depth}: is 1 channels of uint8, 40x40, expected 1 of uint8, of"):
        read(root)
    depth.unlink()
    with refused(f"{depth}: no such file, but .*/train/rgb has this frame"):
        read(root)
    assert not (root.parent / "cache").exists()


@needs("nyuv2")
@pytest.mark.slow
def test_the_real_rooms_have_a_dozen_classes_that_colour_and_depth_tell(tmp_path):
    dataset = data.nyuv2(str(DATA / "nyuv2"), 16, cache=str(tmp_path))
    assert dataset.train.images.shape == (12720, 4, 16, 16)
    assert len(dataset.classes) == 12 and {"wall", "floor", "bed"} <= set(dataset.classes)
    assert dataset.train.labelled().labels.bincount().tolist() == [100] * 12
    assert dataset.test.labelled().labels.bincount().min() >= 50
    # floors lie nearer to the lower edge: depth falls down the patch, of walls it does not
    floors, walls = (
        dataset.train.images[dataset.train.labels == dataset.classes.index(name), 3].float()
        for name in ("floor", "wall")
    )
    slopes = [(d[:, :8].mean((1, 2)) - d[:, 8:].mean((1, 2))) for d in (floors, walls)]
    assert (slopes[0] > 0).float().mean() > 0.9 > 0.7 > (slopes[1] > 0).float().mean()
