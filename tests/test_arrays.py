"""Arrays of any number of channels become a data set, or a clear line says why not."""

import numpy as np
import pytest
import torch
from refusal import refused

from infomin import data

pytestmark = pytest.mark.usefixtures("single")


@pytest.fixture
def root(tmp_path):
    """Five channels, two classes, options apart by the third channel."""
    folder, generator = tmp_path / "cells", np.random.default_rng(0)
    folder.mkdir()
    for part, n in (("train", 64), ("test", 32)):
        images = generator.integers(0, 200, (n, 5, 12, 12), dtype=np.uint8)
        labels = np.arange(n) % 2
        images[labels == 1, 2] += 50
        np.save(folder / f"{part}_images.npy", images)
        np.save(folder / f"{part}_labels.npy", labels)
    return folder


def test_arrays_are_taken_as_they_are(root):
    dataset = data.arrays(str(root))
    assert (dataset.name, dataset.channels, dataset.size, dataset.classes) == (
        "cells",
        5,
        12,
        ("0", "1"),
    )
    images = np.load(root / "train_images.npy")
    assert torch.equal(dataset.train.images, torch.from_numpy(images))
    assert dataset.test.labels.tolist() == [0, 1] * 16


def test_arrays_are_resized_counted_and_need_no_labels(root):
    (root / "train_labels.npy").unlink()
    counts = []
    dataset = data.arrays(str(root), size=8, progress=lambda *count: counts.append(count))
    assert counts == [(64, 96), (96, 96)]
    assert dataset.train.images.shape == (64, 5, 8, 8) and dataset.train.images.dtype == torch.uint8
    assert dataset.train.labels.unique().tolist() == [-1]
    (root / "test_labels.npy").unlink()
    assert data.arrays(str(root)).classes == ()


@pytest.mark.parametrize("kind", [np.uint16, ">u2", np.float32, np.float64, np.float16])
def test_arrays_of_other_types_mean_their_own_numbers(root, kind):
    for part in ("train", "test"):
        path = root / f"{part}_images.npy"
        np.save(path, np.load(path).astype(kind) * 4)
    names = ["a", "b", "c", "d", "e"]
    dataset = data.arrays(str(root), value_range=[0, 1000], channel_names=names)
    images = np.load(root / "train_images.npy")
    kept = torch.uint16 if images.dtype.kind == "u" else torch.float32
    assert dataset.train.images.dtype == kept
    assert np.array_equal(dataset.train.images.numpy(), images)
    assert (dataset.value_range, dataset.channel_names) == ((0.0, 1000.0), tuple(names))
    with refused(
        r"train_images.npy: image 0: has values .* outside \[0, 400\]; set data.value_range=\[0,"
    ):
        data.arrays(str(root), value_range=[0, 400])


def test_an_error_names_the_image_that_is_out_of_range(root):
    images = np.load(root / "test_images.npy").astype(np.float32) / 255
    images[17, 3, 2, 1] = np.nan
    np.save(root / "train_images.npy", np.load(root / "train_images.npy") / 255)
    np.save(root / "test_images.npy", images)
    with refused("test_images.npy: image 17: 1 of 720 values are NaN or infinite; data.fill=VALUE"):
        data.arrays(str(root))
    assert data.arrays(str(root), fill=0.25).test.images[17, 3, 2, 1] == 0.25


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train_images", None, "train_images.npy: no such file; save images there as n c h w"),
        ("train_images", b"text", "train_images.npy: is not an array of numbers"),
        ("train_images", np.zeros((3, 1, 8, 8)), "image 0: has 1 channel, expected 2 to 1024"),
        ("train_images", np.zeros((3, 8, 9, 5), np.uint8), "n c h w, h = w, got 3 x 8 x 9 x 5"),
        ("train_images", np.zeros((0, 5, 8, 8)), "expected values, got an array of 0 x 5 x 8 x 8"),
        ("test_images", np.zeros((3, 4, 12, 12), np.uint8), "5 channels of .* 4 channels of uint8"),
        ("test_images", np.zeros((3, 5, 8, 8), np.uint8), "is 12x12, .*test_images.npy.* is 8x8"),
        ("train_labels", np.zeros(3, int), "expected 64 integers, -1 for none, got 3"),
        ("train_labels", np.full(64, -2), "expected 64 integers, -1 for none"),
        ("train_labels", np.zeros(64), "expected 64 integers, .* got 64, float64"),
        ("train_labels", np.array([{}] * 64), "is not an array of numbers"),
        ("train_labels", np.array(["cat"] * 64), "is not an array of numbers .it holds <U3"),
        (
            "test_labels",
            np.full(32, 2),
            "test_images.npy: image 0: class 2 has no training images, .*0, 1",
        ),
    ],
)
def test_wrong_arrays_are_refused(root, name, content, message):
    path = root / f"{name}.npy"
    if content is None:
        path.unlink()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        (root / name.replace("images", "labels")).with_suffix(".npy").unlink()
        np.save(path, content, allow_pickle=True)
    with refused(message):
        data.arrays(str(root))


def test_a_folder_must_be_named_and_be_there(tmp_path):
    with refused("data.root: expected the folder of train_images.npy, got none"):
        data.arrays()
    with refused("data.root: .*nowhere is not a folder; give the folder of train_images.npy"):
        data.arrays(str(tmp_path / "nowhere"))
