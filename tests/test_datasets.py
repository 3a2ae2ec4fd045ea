"""Built-in images, and the standard data sets in tiny files of their real formats."""

import pickle
import sys
from functools import cache
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from refusal import refused
from sameness import same
from torchvision.datasets import cifar, mnist, stl10, utils

from infomin import data
from infomin.augment import resize
from infomin.core import rng
from infomin.data.photos import _photograph
from infomin.data.scenes import FACTORS, SHAPES, draw_factors, render

pytestmark = pytest.mark.usefixtures("single")
PHOTOS = sys.modules["infomin.data.photos"]
photograph = cache(_photograph)


@pytest.fixture
def remembered(monkeypatch):
    """Read every photograph once."""
    monkeypatch.setattr(PHOTOS, "_photograph", photograph)


# Photographs and scenes


def test_photos_are_8_balanced_classes_and_the_same_every_time(remembered):
    counts = []
    options = {"size": 16, "patch": 32, "train": 80, "test": 40}
    dataset = data.photos(**options, progress=lambda *count: counts.append(count))
    assert counts == [(i, 16) for i in range(1, 17)]
    assert len(dataset.classes) == 8
    assert dataset.train.images.shape == (80, 3, 16, 16)
    assert dataset.test.images.shape == (40, 3, 16, 16)
    assert dataset.train.images.dtype == torch.uint8
    assert dataset.train.labels.bincount().tolist() == [10] * 8
    assert dataset.test.labels.bincount().tolist() == [5] * 8
    assert same(dataset, data.photos(**options))
    assert not same(dataset, data.photos(**options, seed=1))
    assert all(min(photograph(name).shape[1:]) == 384 for name in dataset.classes)


@pytest.mark.parametrize("patch", [32, 128])
def test_no_test_pixel_of_a_photograph_was_trained_on(monkeypatch, patch):
    column = torch.arange(384).expand(384, 384)  # of a photograph of the smallest width
    photo = torch.stack([column // 2, column % 2, column]).byte()
    monkeypatch.setattr(PHOTOS, "_photograph", lambda name: photo)
    dataset = data.photos(size=patch, patch=patch, train=400, test=400)
    trained, tested = (
        2 * s.images[:, 0, 0].int() + s.images[:, 1, 0] for s in (dataset.train, dataset.test)
    )
    assert trained.max() + patch < tested.min()
    assert trained.diff(dim=1).eq(1).all()
    assert trained.min() == 0 and tested.max() == 383


def test_scenes_are_uint8_labelled_by_shape_and_the_same_every_time():
    counts = []
    dataset = data.scenes(size=24, train=90, test=30, progress=lambda *n: counts.append(n))
    assert counts == [(90, 120), (120, 120)]
    factors = draw_factors(90, 8, 4, rng.generator(0, "scenes", "train"))
    assert dataset.classes == SHAPES
    assert dataset.train.images.shape == (90, 3, 24, 24)
    assert dataset.train.images.dtype == torch.uint8
    assert torch.equal(dataset.train.labels, factors[:, FACTORS.index("shape")])
    assert same(dataset, data.scenes(size=24, train=90, test=30))
    assert not same(dataset, data.scenes(size=24, train=90, test=30, seed=1))


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
    with refused(message):
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
    np.array([10, 1], np.uint8).tofile(binary / "test_y.bin")
    names = tuple(f"class {i}" for i in range(10))
    (binary / "class_names.txt").write_text("\n".join(names))

    arguments = {"root": str(tmp_path / "data"), "cache": str(tmp_path / "cache")}
    whole = data.stl10(size=None, **arguments)
    assert whole.classes == ("class 0", "class 3", "class 9")  # those of training images
    assert whole.train.labels.tolist() == [0, 2, 1, -1, -1]
    assert whole.test.labels.tolist() == [2, 0]
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

    dataset = getattr(data, name)(str(tmp_path / "data"), cache=str(tmp_path / "cache"))
    assert (dataset.name, dataset.classes) == (name, tuple(next(iter(meta[1].values()))))
    expected = np.concatenate(pixels).reshape(-1, 3, 32, 32)
    assert torch.equal(dataset.train.images, torch.from_numpy(expected[:-2]))
    assert torch.equal(dataset.test.images, torch.from_numpy(expected[-2:]))
    assert dataset.test.labels.tolist() == [(len(batches) - 1) % 2, 1]


def test_mnist_reads_idx_files_with_one_channel(tmp_path, offline):
    random = np.random.default_rng(0)
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    digits = {"train": [7, 0, 3], "t10k": [3, 7]}
    pixels = {
        k: random.integers(0, 256, (len(v), 28, 28), dtype=np.uint8) for k, v in digits.items()
    }
    for split, labels in digits.items():
        n = len(labels).to_bytes(4, "big")
        side = (28).to_bytes(4, "big")
        head = b"\0\0\x08\x03" + n + side + side
        (raw / f"{split}-images-idx3-ubyte").write_bytes(head + pixels[split].tobytes())
        (raw / f"{split}-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + n + bytes(labels))

    arguments = {"root": str(tmp_path / "data"), "cache": str(tmp_path / "cache")}
    dataset = data.mnist(size=None, **arguments)
    assert dataset.channels == 1 and dataset.classes == ("0", "3", "7")
    assert (dataset.train.labels.tolist(), dataset.test.labels.tolist()) == ([2, 0, 1], [1, 2])
    assert torch.equal(dataset.train.images[:, 0], torch.from_numpy(pixels["train"]))
    assert data.mnist(**arguments).size == 32
    for path in raw.iterdir():
        path.unlink()
    assert same(data.mnist(size=None, **arguments), dataset)  # from the cache


@pytest.mark.parametrize("name", ["stl10", "mnist"])
def test_a_missing_data_set_without_network_is_one_clear_line(tmp_path, offline, name):
    with refused(f"data.root: {name.upper()} is not in .*no network in tests.*put .* files there"):
        getattr(data, name)(str(tmp_path / "data"), cache=str(tmp_path / "cache"))
    assert not (tmp_path / "cache").exists()
