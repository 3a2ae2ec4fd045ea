"""Classes are the distinct labels of the training images, whatever the labels are."""

import numpy as np
import pytest
import torch
from refusal import picture, refused
from torch.utils.data import Subset, TensorDataset
from torchvision.datasets import ImageFolder

from infomin import data
from infomin.data import DataSet, ImageSet, from_torch
from infomin.data.split import hold_out

pytestmark = pytest.mark.usefixtures("single")

Y = np.arange(20) % 4


def images(n):
    return np.zeros((n, 3, 8, 8), np.uint8)


def arrays(folder, train, test):
    for part, y in (("train", train), ("test", test)):
        np.save(folder / f"{part}_images.npy", images(len(y)))
        np.save(folder / f"{part}_labels.npy", y)
    return data.arrays(str(folder))


def pairs(folder, train, test):
    return from_torch(*((images(len(y)), y) for y in (train, test)))


def tensors(folder, train, test):
    parts = ((torch.from_numpy(images(len(y))), torch.tensor(y.tolist())) for y in (train, test))
    return from_torch(*(TensorDataset(*part) for part in parts))


def folders(folder, train, test):
    for part, y in (("train", train), ("val", test)):
        for i, label in enumerate(y.tolist()):
            picture(folder / "set" / part / f"{label}" / f"{i:02}.png")
    return data.image_folder(str(folder / "set"), 8, cache=str(folder / "cache"))


@pytest.mark.parametrize("source", [arrays, pairs, tensors, folders])
@pytest.mark.parametrize(
    "labels",
    [Y, Y + 1, np.where(Y == 3, 255, Y), Y * 300_000_000 + 10**9, (Y * 3).astype(np.uint8)],
    ids=["counted", "from 1", "255", "ids", "gaps"],
)
def test_classes_are_the_distinct_labels_of_every_source(tmp_path, source, labels):
    dataset = source(tmp_path, labels, labels[:8])
    names = [str(label) for label in np.unique(labels)]
    assert sorted(dataset.classes, key=int) == names
    for part, expected in ((dataset.train, labels), (dataset.test, labels[:8])):
        result = sorted(int(dataset.classes[i]) for i in part.labels.tolist())
        assert result == sorted(expected.tolist())
        assert 0 <= part.labels.min() and part.labels.max() < 4
    assert dataset.check_classes("evaluation") is None


@pytest.mark.parametrize("source", [arrays, pairs, tensors, folders])
def test_a_test_class_without_training_images_is_refused_by_name(tmp_path, source):
    with refused("class '?9'? has no training images, expected one of 0, 1, 2, 3; add some, or l"):
        source(tmp_path, Y, np.array([0, 9, 1]))
    dataset = pairs(tmp_path, Y, np.array([2, 2, -1]))  # a test set may lack classes
    assert len(dataset.classes) == 4 and dataset.test.labels.tolist() == [2, 2, -1]


def test_names_without_an_image_are_no_classes(tmp_path):
    for name in "abcd":
        for i in range(3):
            picture(tmp_path / "train" / name / f"{i}.png", size=(8, 8))
    whole = ImageFolder(tmp_path / "train")
    some = Subset(whole, [i for i, (_, label) in enumerate(whole.samples) if label in (1, 3)])
    dataset = from_torch(some, some)
    assert dataset.classes == ("b", "d")
    assert dataset.train.labels.tolist() == dataset.test.labels.tolist() == [0, 0, 0, 1, 1, 1]
    with refused("^test: image 0: class 'a' has no training images, expected one of b, d"):
        from_torch(some, whole)


def test_a_folder_of_unreadable_files_is_no_class(tmp_path):
    for name in ("cat", "dog", "bird"):
        for i in range(6):
            path = picture(tmp_path / "set" / name / f"{i}.png")
            if name == "bird":
                path.write_bytes(b"text")
    options = {"cache": str(tmp_path / "cache"), "skip_bad": True}
    dataset = data.image_folder(str(tmp_path / "set"), 8, **options)
    assert (dataset.classes, dataset.skipped) == (("cat", "dog"), 6)
    names = "bird/0.png, bird/1.png, bird/2.png and 3 more"
    assert f"left out of {tmp_path}/set: 6 unreadable files ({names})" in dataset.notes


def test_a_class_is_never_held_out_as_a_whole(tmp_path):
    labels = torch.tensor([0] * 50 + [1, 2, 3, 4, 5] + [-1] * 5)
    for seed in range(20):
        train, test = hold_out(60, 0.3, seed, labels)
        assert {*labels[train].tolist()} >= {0, 1, 2, 3, 4, 5}
        assert sorted(torch.cat([train, test]).tolist()) == [*range(60)]
        before = hold_out(60, 0.3, seed)[1]
        alone = torch.isin(labels[before], torch.arange(1, 6))
        assert torch.equal(before[~alone], test)  # others stay where they were
    for i in range(10):
        picture(tmp_path / "set" / f"{i}" / "0.png")
    options = {"size": 8, "cache": str(tmp_path / "cache")}
    with refused("data.test_share: all 2 images .* are the only ones of their class; set data.lab"):
        data.image_folder(str(tmp_path / "set"), **options)
    assert data.image_folder(str(tmp_path / "set"), **options, labels="none").classes == ()


def test_an_evaluation_refuses_a_test_class_without_training_images():
    sets = [
        ImageSet.of(torch.zeros(len(y), 3, 8, 8, dtype=torch.uint8), torch.tensor(y))
        for y in ([0, 1, 0, 1], [0, 2])
    ]
    with refused("data mine: evaluation needs training .* of every class .*, got none of c; leave"):
        DataSet("mine", *sets, ("a", "b", "c")).check_classes("evaluation")
    with refused("data mine: labels: expected indices of 2 classes, got 2; infomin.from_torch num"):
        DataSet("mine", *sets, ("a", "b")).check_classes("evaluation")
