import os
import pickle
import sys
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import cifar, mnist, stl10, utils

from infomin import data, rng
from infomin.augment import CropFlip, resize
from infomin.data import folder as folder_module
from infomin.data.photos import _photograph
from infomin.data.scenes import FACTORS, SHAPES, draw_factors, render
from infomin.errors import InputError

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


def same(a, b):
    return (
        torch.equal(a.train.images, b.train.images)
        and torch.equal(a.train.labels, b.train.labels)
        and torch.equal(a.test.images, b.test.images)
        and torch.equal(a.test.labels, b.test.labels)
        and (a.name, a.classes, a.skipped) == (b.name, b.classes, b.skipped)
    )


# Folders of images


def test_train_and_val_folders_are_the_two_sets_with_classes_in_alphabetical_order(tmp_path):
    by_class(tmp_path / "set" / "train", 2)
    by_class(tmp_path / "set" / "val", 1)
    found = data.image_folder(str(tmp_path / "set"), size=8, cache=str(tmp_path / "cache"))
    assert (found.name, found.classes) == ("set", ("ant", "moth", "zebra"))
    assert (found.channels, found.size, found.skipped) == (3, 8, 0)
    assert found.train.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert found.test.labels.tolist() == [0, 1, 2]
    assert found.train.images.dtype == torch.uint8
    assert (
        found.train.images[:, :, 4, 4].tolist()
        == [list(c) for c in (GREEN, BLUE, RED) * 1][0:1] * 2 + [list(BLUE)] * 2 + [list(RED)] * 2
    )


@pytest.mark.parametrize("name", ["val", "test", "valid", "validation"])
def test_every_usual_name_of_a_test_folder_is_known(tmp_path, name):
    by_class(tmp_path / "train", 2)
    by_class(tmp_path / name, 1)
    found = data.image_folder(str(tmp_path), size=8, cache=str(tmp_path / "cache"))
    assert (len(found.train), len(found.test)) == (6, 3)


def test_class_folders_alone_hold_out_a_seeded_share_of_disjoint_images(tmp_path):
    root = tmp_path / "set"
    for i in range(20):
        picture(root / "ab"[i % 2] / f"{i}.png", (i, 0, 0), (8, 8))
    options = {"size": 8, "test_share": 0.25, "cache": str(tmp_path / "cache")}
    found = data.image_folder(str(root), seed=1, **options)
    train, test = (set(s.images[:, 0, 0, 0].tolist()) for s in (found.train, found.test))
    assert (len(train), len(test), train | test) == (15, 5, set(range(20)))
    assert found.train.labels.tolist() == [i % 2 for i in found.train.images[:, 0, 0, 0].tolist()]
    assert not same(found, data.image_folder(str(root), seed=2, **options))
    assert same(found, data.image_folder(str(root), seed=1, **options))


def test_images_in_no_class_folder_are_unlabelled(tmp_path):
    for i in range(10):
        picture(tmp_path / "set" / f"{i}.JPG", BLUE)
    found = data.image_folder(str(tmp_path / "set"), size=8, cache=str(tmp_path / "cache"))
    assert found.classes == ()
    assert (len(found.train), len(found.test)) == (8, 2)
    assert found.train.labels.unique().tolist() == [-1]
    assert len(found.train.labelled()) == 0


def test_unlabelled_images_beside_class_folders_keep_both(tmp_path):
    by_class(tmp_path / "train", 2)
    picture(tmp_path / "train" / "loose.png", RED)
    by_class(tmp_path / "val", 1)
    found = data.image_folder(str(tmp_path), size=8, cache=str(tmp_path / "cache"))
    assert sorted(found.train.labels.tolist()) == [-1, 0, 0, 1, 1, 2, 2]
    assert len(found.train.labelled()) == 6


def test_class_folders_that_are_links_are_followed(tmp_path):
    by_class(tmp_path / "elsewhere")
    (tmp_path / "set").mkdir()
    for name in ("ant", "moth"):
        (tmp_path / "set" / name).symlink_to(tmp_path / "elsewhere" / name)
    found = data.image_folder(str(tmp_path / "set"), size=8, cache=str(tmp_path / "cache"))
    assert found.classes == ("ant", "moth")


def test_the_shorter_side_is_resized_and_the_centre_cropped(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 48, 3), dtype=np.uint8)
    wide = Image.fromarray(pixels)
    (tmp_path / "set").mkdir()
    for i in range(2):
        wide.save(tmp_path / "set" / f"{i}.png")
    found = data.image_folder(
        str(tmp_path / "set"), size=8, test_share=0.5, cache=str(tmp_path / "cache")
    )
    expected = wide.resize((24, 8), Image.Resampling.BILINEAR).crop((8, 0, 16, 8))
    assert np.array_equal(found.train.images[0].permute(1, 2, 0), expected)


def test_squares_of_one_size_are_kept_pixel_by_pixel_without_a_size(tmp_path):
    random = np.random.default_rng(0).integers(0, 256, (4, 9, 9, 3), dtype=np.uint8)
    (tmp_path / "set").mkdir()
    for i, image in enumerate(random):
        Image.fromarray(image).save(tmp_path / "set" / f"{i}.png")
    found = data.image_folder(str(tmp_path / "set"), None, cache=str(tmp_path / "cache"))
    read = torch.cat([found.test.images, found.train.images])
    assert sorted(map(bytes, read.permute(0, 2, 3, 1).numpy())) == sorted(map(bytes, random))


def test_grey_and_alpha_become_three_channels_on_demand(tmp_path):
    (tmp_path / "set").mkdir()
    Image.new("L", (8, 8), 77).save(tmp_path / "set" / "grey.png")
    Image.new("RGBA", (8, 8), (*RED, 128)).save(tmp_path / "set" / "alpha.png")
    found = data.image_folder(
        str(tmp_path / "set"), 8, convert=True, test_share=0.5, cache=str(tmp_path / "cache")
    )
    pixels = [s.images[0, :, 0, 0].tolist() for s in (found.train, found.test)]
    assert sorted(pixels) == [[77, 77, 77], list(RED)]


def test_a_cached_folder_is_identical_and_decodes_nothing_again(tmp_path, monkeypatch):
    by_class(tmp_path / "set")
    arguments = {"root": str(tmp_path / "set"), "size": 8, "cache": str(tmp_path / "cache")}
    first = data.image_folder(**arguments)
    decoded = []
    monkeypatch.setattr(folder_module, "_decode", lambda *a: decoded.append(a))
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


# Photographs and scenes


def test_photos_are_8_balanced_classes_and_the_same_every_time():
    found = data.photos(size=16, patch=32, train=80, test=40)
    assert len(found.classes) == 8
    assert found.train.images.shape == (80, 3, 16, 16)
    assert found.test.images.shape == (40, 3, 16, 16)
    assert found.train.images.dtype == torch.uint8
    assert found.train.labels.bincount().tolist() == [10] * 8
    assert found.test.labels.bincount().tolist() == [5] * 8
    assert same(found, data.photos(size=16, patch=32, train=80, test=40))
    assert not same(found, data.photos(size=16, patch=32, train=80, test=40, seed=1))


@pytest.mark.parametrize("patch", [32, 128])
def test_no_test_pixel_of_a_photograph_was_trained_on(monkeypatch, patch):
    column = torch.arange(384).expand(384, 384)  # of a photograph of the smallest width
    photo = torch.stack([column // 2, column % 2, column]).byte()
    monkeypatch.setattr(sys.modules["infomin.data.photos"], "_photograph", lambda name: photo)
    found = data.photos(size=patch, patch=patch, train=400, test=400)
    trained, tested = (2 * s.images[:, 0].int() + s.images[:, 1] for s in (found.train, found.test))
    assert trained.max() + patch < tested.min()
    assert trained.diff(dim=2).eq(1).all()
    assert trained.min() == 0 and tested.max() == 383


def test_photographs_are_brought_to_one_scale():
    photo = _photograph("motorcycle")
    assert photo.dtype == torch.uint8
    assert min(photo.shape[1:]) == 384


def test_scenes_are_uint8_labelled_by_shape_and_the_same_every_time():
    found = data.scenes(size=24, train=90, test=30)
    factors = draw_factors(90, 8, 4, rng.generator(0, "scenes", "train"))
    assert found.classes == SHAPES
    assert found.train.images.shape == (90, 3, 24, 24)
    assert found.train.images.dtype == torch.uint8
    assert torch.equal(found.train.labels, factors[:, FACTORS.index("shape")])
    assert same(found, data.scenes(size=24, train=90, test=30))
    assert not same(found, data.scenes(size=24, train=90, test=30, seed=1))


def test_the_factors_of_scenes_are_uniform_and_pairwise_independent():
    n, hues, places = 20_000, 4, 3
    factors = draw_factors(n, hues, places, rng.generator(0, "test"))
    limits = (len(SHAPES), hues, hues, places, places)
    for i, a in enumerate(limits):
        for j, b in enumerate(limits[:i]):
            counts = (factors[:, i] * b + factors[:, j]).bincount(minlength=a * b).double()
            expected = n / (a * b)
            chi2 = ((counts - expected) ** 2 / expected).sum().item()
            assert chi2 < 2.5 * a * b, (FACTORS[i], FACTORS[j])  # mean a b - 1


def test_a_scene_shows_its_factors_and_nothing_else():
    base = torch.tensor([[1, 2, 5, 1, 1]])
    image = render(base, 32, 8, 4)[0]
    assert len(image.flatten(1).unique(dim=1).T) == 2  # a shape and a ground
    moved = render(base + torch.tensor([[0, 0, 0, 0, 1]]), 32, 8, 4)[0]
    assert torch.equal(moved.flatten(1).unique(dim=1), image.flatten(1).unique(dim=1))
    assert not torch.equal(moved, image)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: data.photos(train=7), "data.train, data.test: expected at least 8 patches"),
        (lambda: data.photos(patch=129), r"data.patch: expected 1..128 pixels, got 129"),
        (lambda: data.scenes(hues=0), "data.hues: expected at least 1, got 0"),
        (lambda: data.scenes(train=0), "data.train: expected at least 1, got 0"),
    ],
)
def test_numbers_that_make_no_images_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


# Standard data sets, in tiny files of their real formats


@pytest.fixture
def unverified(monkeypatch):
    """Take files for whole without their published checksums."""
    for module in (stl10, cifar, mnist):
        monkeypatch.setattr(module, "check_integrity", lambda path, md5=None: Path(path).is_file())


@pytest.fixture
def offline(monkeypatch):
    def refuse(*args, **kwargs):
        raise URLError("no network in tests")

    monkeypatch.setattr(utils.urllib.request, "urlopen", refuse)


def test_stl10_reads_column_major_files_with_unlabelled_images(tmp_path, unverified, offline):
    random = np.random.default_rng(0)
    images = {
        name: random.integers(0, 256, (n, 3, 96, 96), dtype=np.uint8)
        for name, n in (("train", 3), ("unlabeled", 2), ("test", 2))
    }
    binary = tmp_path / "data" / "stl10_binary"
    binary.mkdir(parents=True)
    for name, array in images.items():
        array.transpose(0, 1, 3, 2).tofile(binary / f"{name}_X.bin")
    np.array([1, 10, 4], np.uint8).tofile(binary / "train_y.bin")
    np.array([7, 2], np.uint8).tofile(binary / "test_y.bin")
    (binary / "class_names.txt").write_text("airplane\nbird\ncar\n")

    arguments = {"root": str(tmp_path / "data"), "cache": str(tmp_path / "cache")}
    whole = data.stl10(size=None, **arguments)
    assert whole.classes == ("airplane", "bird", "car")
    assert whole.train.labels.tolist() == [0, 9, 3, -1, -1]
    assert whole.test.labels.tolist() == [6, 1]
    assert torch.equal(
        whole.train.images, torch.from_numpy(np.concatenate([images["train"], images["unlabeled"]]))
    )
    assert torch.equal(whole.test.images, torch.from_numpy(images["test"]))
    assert len(whole.train.labelled()) == 3
    small = data.stl10(size=64, **arguments)
    assert small.train.images.shape == (5, 3, 64, 64)
    expected = resize(whole.test.images, 64) * 255
    assert (small.test.images - expected).abs().max() <= 0.5


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_reads_its_pickled_batches(tmp_path, unverified, offline, name):
    random = np.random.default_rng(0)
    if name == "cifar10":
        root, label = tmp_path / "data" / "cifar-10-batches-py", "labels"
        batches = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
        meta = ("batches.meta", {"label_names": ["airplane", "automobile"]})
    else:
        root, label = tmp_path / "data" / "cifar-100-python", "fine_labels"
        batches, meta = ["train", "test"], ("meta", {"fine_label_names": ["apple", "fish"]})
    root.mkdir(parents=True)
    pixels = [random.integers(0, 256, (2, 3072), dtype=np.uint8) for _ in batches]
    for i, batch in enumerate(batches):
        content = {"data": pixels[i], label: [i % 2, 1]}
        (root / batch).write_bytes(pickle.dumps(content))
    (root / meta[0]).write_bytes(pickle.dumps(meta[1]))

    found = getattr(data, name)(str(tmp_path / "data"), cache=str(tmp_path / "cache"))
    assert (found.name, found.classes) == (name, tuple(next(iter(meta[1].values()))))
    expected = np.concatenate(pixels).reshape(-1, 3, 32, 32)
    assert torch.equal(found.train.images, torch.from_numpy(expected[:-2]))
    assert torch.equal(found.test.images, torch.from_numpy(expected[-2:]))
    assert found.test.labels.tolist() == [(len(batches) - 1) % 2, 1]


def test_mnist_reads_idx_files_with_one_channel(tmp_path, offline):
    random = np.random.default_rng(0)
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    digits = {"train": [7, 0, 3], "t10k": [9, 9]}
    pixels = {
        k: random.integers(0, 256, (len(v), 28, 28), dtype=np.uint8) for k, v in digits.items()
    }
    for split, labels in digits.items():
        n = len(labels).to_bytes(4, "big")
        side = (28).to_bytes(4, "big")
        head = b"\0\0\x08\x03" + n + side + side
        (raw / f"{split}-images-idx3-ubyte").write_bytes(head + pixels[split].tobytes())
        (raw / f"{split}-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + n + bytes(labels))

    found = data.mnist(str(tmp_path / "data"), size=None, cache=str(tmp_path / "cache"))
    assert found.channels == 1
    assert (found.train.labels.tolist(), found.test.labels.tolist()) == ([7, 0, 3], [9, 9])
    assert torch.equal(found.train.images[:, 0], torch.from_numpy(pixels["train"]))
    assert data.mnist(str(tmp_path / "data"), cache=str(tmp_path / "cache")).size == 32


@pytest.mark.parametrize(
    ("name", "title"),
    [("stl10", "STL-10"), ("cifar10", "CIFAR10"), ("cifar100", "CIFAR100"), ("mnist", "MNIST")],
)
def test_a_missing_data_set_without_network_is_one_clear_line(tmp_path, offline, name, title):
    with pytest.raises(
        InputError,
        match=rf"^data.root: {title} is not in .*no network in tests.*put .* files there$",
    ) as caught:
        getattr(data, name)(str(tmp_path / "data"), cache=str(tmp_path / "cache"))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "cache").exists()


def test_a_standard_data_set_comes_from_the_cache_the_second_time(tmp_path, offline):
    test_mnist_reads_idx_files_with_one_channel(tmp_path, None)
    for path in (tmp_path / "data").rglob("*ubyte"):
        path.unlink()
    found = data.mnist(str(tmp_path / "data"), size=None, cache=str(tmp_path / "cache"))
    assert found.train.labels.tolist() == [7, 0, 3]


# Labels


LABELS = torch.tensor([0] * 50 + [1] * 30 + [2] * 20 + [-1] * 100)


@pytest.mark.parametrize(("options", "number"), [({"share": 0.3}, 30), ({"number": 12}, 12)])
def test_labels_are_dealt_evenly_over_classes(options, number):
    chosen = data.labelled_subset(LABELS, **options)
    assert len(chosen) == number
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    assert LABELS[chosen].bincount().tolist() == [number // 3] * 3


def test_labels_go_on_evenly_where_a_class_runs_out():
    chosen = data.labelled_subset(LABELS, number=80)
    assert LABELS[chosen].bincount().tolist() == [30, 30, 20]


def test_all_labels_are_taken_without_a_share_and_unlabelled_images_never():
    assert data.labelled_subset(LABELS).tolist() == list(range(100))
    assert data.labelled_subset(LABELS, share=1.0).tolist() == list(range(100))


def test_the_choice_of_labels_is_seeded_and_grows_with_the_number():
    def chosen(number, seed):
        return set(data.labelled_subset(LABELS, number=number, seed=seed).tolist())

    assert chosen(12, 0) == chosen(12, 0)
    assert chosen(12, 0) != chosen(12, 1)
    assert chosen(12, 0) < chosen(24, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": 0.5, "number": 3}, "give labels.share or labels.number, not both"),
        ({"share": 0.0}, r"labels.share: expected a share within \(0, 1\], got 0.0"),
        ({"share": 1.1}, r"labels.share: expected a share within \(0, 1\], got 1.1"),
        ({"number": 101}, "labels.number: 101 labels asked, the data has 100"),
        ({"number": 2}, "labels: expected at least one a class, 3, got 2"),
    ],
)
def test_a_wrong_number_of_labels_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        data.labelled_subset(LABELS, **options)


def test_labels_of_unlabelled_data_are_refused():
    with pytest.raises(InputError, match="labels: the data has none"):
        data.labelled_subset(torch.full((5,), -1), share=0.1)


# Batches


def test_every_index_comes_once_an_epoch():
    batches = data.Batches(torch.arange(100, 120), 5, 0, "test")
    for epoch in range(3):
        seen = torch.cat([batches(epoch * 4 + i) for i in range(4)])
        assert sorted(seen.tolist()) == list(range(100, 120))


def test_a_rest_is_dropped_and_another_one_each_epoch():
    batches = data.Batches(11, 4, 0, "test")
    epochs = [torch.cat([batches(2 * e), batches(2 * e + 1)]).tolist() for e in range(20)]
    assert all(len(set(epoch)) == 8 for epoch in epochs)
    assert set().union(*epochs) == set(range(11))


def test_a_batch_is_a_function_of_seed_stream_and_step_alone():
    forward, backward = (data.Batches(50, 7, 3, "test") for _ in range(2))
    steps = range(30)
    seen = {step: forward(step) for step in steps}
    assert all(torch.equal(seen[step], backward(step)) for step in reversed(steps))


@pytest.mark.parametrize(("seed", "stream"), [(1, "test"), (0, "other")])
def test_another_seed_or_stream_gives_another_order(seed, stream):
    first, second = data.Batches(50, 50, 0, "test"), data.Batches(50, 50, seed, stream)
    assert not torch.equal(first(0), second(0))
    assert not torch.equal(first(0), first(1))


def test_crops_are_a_function_of_seed_and_step_and_each_of_its_own():
    images = torch.randint(0, 256, (20, 3, 12, 12), dtype=torch.uint8)
    augment = CropFlip(6)
    first, second = (data.Batches(20, 5, 0, "test") for _ in range(2))
    first.crops(images, 0, augment, 2)
    (a, b), chosen = first.crops(images, 7, augment, 2)
    (c, d), again = second.crops(images, 7, augment, 2)
    assert torch.equal(a, c) and torch.equal(b, d) and torch.equal(chosen, again)
    assert not torch.equal(a, b)
    assert a.shape == (5, 3, 6, 6)


def test_the_parts_of_several_processes_are_the_whole_batch():
    images = torch.randint(0, 256, (20, 3, 12, 12), dtype=torch.uint8)
    batches, augment = data.Batches(20, 6, 0, "test"), CropFlip(6)
    (whole,), chosen = batches.crops(images, 2, augment, 1)
    parts = [batches.crops(images, 2, augment, 1, slice(i, i + 3)) for i in (0, 3)]
    assert torch.equal(torch.cat([crops[0] for crops, _ in parts]), whole)
    assert torch.equal(torch.cat([part for _, part in parts]), chosen)


@pytest.mark.parametrize("size", [0, 21])
def test_a_batch_larger_than_the_data_is_refused(size):
    with pytest.raises(InputError, match=rf"batch size: expected 1..20, .*\(test\), got {size}"):
        data.Batches(20, size, 0, "test")
