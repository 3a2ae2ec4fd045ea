"""Splits and classes of folders: names in one normal form, the class directly below the split."""

import unicodedata

import numpy as np
import pytest
from refusal import picture, refused

from infomin import data
from infomin.data.labels import label_warning
from infomin.data.names import split_of

pytestmark = pytest.mark.usefixtures("single")


def fill(root, *folders, count=4):
    for folder in folders:
        for i in range(count):
            picture(root / folder / f"{i}.png")
    return root


def read(root, **options):
    return data.image_folder(str(root), 8, cache=str(root.parent / "cache"), **options)


def by_class(dataset):
    """Number of images in both sets, by class."""
    counts = {}
    for part in (dataset.train, dataset.test):
        for label in part.labels.tolist():
            name = dataset.classes[label] if label >= 0 else None
            counts[name] = counts.get(name, 0) + 1
    return counts


# Splits


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("Train", "Val"),
        ("Training", "Test"),
        ("train", "Test"),
        ("train", "dev"),
        ("TRAIN", "TESTING"),
        ("train2017", "val2017"),
        ("training_set", "test-set"),
        ("train images", "Validation images"),
        ("seg_train", "seg_test"),
        ("train", "valid"),
        ("train", "eval"),
    ],
)
def test_the_two_sets_under_names_of_every_kind(tmp_path, train, test):
    root = fill(tmp_path / "set", f"{train}/cat", f"{train}/dog")
    fill(root, f"{test}/cat", f"{test}/dog", count=2)
    dataset = read(root)
    assert (len(dataset.train), len(dataset.test), dataset.classes) == (8, 4, ("cat", "dog"))
    sets = f"8 training images ({train}/), 4 test images ({test}/); 2 classes: cat, dog"
    assert dataset.notes == (f"data set: {sets}",)
    views = {"one": str(root), "two": str(root)}
    pairs = data.paired_folders(views, 8, cache=str(tmp_path / "cache"))
    assert (len(pairs.train), len(pairs.test)) == (8, 4)


@pytest.mark.parametrize(
    "name", ["cat", "trainer", "intrain", "testament", "valley", "devon", "bus", "2017", "", "t"]
)
def test_other_names_are_no_splits(name):
    assert split_of(name) is None


def test_the_first_test_set_is_used_and_others_are_named(tmp_path):
    root = fill(tmp_path / "set", "train/a", "val/a", "test/a", "extra/a")
    (root / "notes.txt").write_text("text")
    (root / ".cache").mkdir()
    dataset = read(root)
    assert "4 training images (train/), 4 test images (val/); 1 class: a" in dataset.notes[0]
    left_out = "1 hidden (.cache); 3 beside train/ and val/ (extra, notes.txt, test)"
    assert dataset.notes[1] == f"left out of {root}: {left_out}"


def test_a_split_inside_the_only_folder(tmp_path):
    root = fill(tmp_path / "set", "data/images/train/a", "data/images/val/a")
    (root / "README").write_text("text")
    dataset = read(root)
    assert len(dataset.train) == len(dataset.test) == 4
    assert "(data/images/train/)" in dataset.notes[0] and "(README)" in dataset.notes[1]


@pytest.mark.parametrize(
    ("folders", "classes", "words"),
    [
        (("cat/train", "cat/test", "dog/train", "dog/test"), ("cat", "dog"), "test, train"),
        (("train", "bus", "car"), ("bus", "car", "train"), "train"),
        (("train/cat", "train/dog"), ("cat", "dog"), "train"),
        (("val/cat", "test/cat"), ("test", "val"), "test, val"),
    ],
)
def test_folders_that_look_like_a_split_and_are_none(tmp_path, folders, classes, words):
    dataset = read(fill(tmp_path / "set", *folders))
    assert dataset.classes == classes
    assert f"folders named {words} are no split: train/ and val/" in dataset.notes[0]


# Classes

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Bär") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(
    ("train", "test", "classes"),
    [
        ((COMPOSED, "cat"), (DECOMPOSED, "cat"), (COMPOSED, "cat")),
        ((DECOMPOSED, COMPOSED, "cat"), (COMPOSED,), (COMPOSED, "cat")),
        (("Cat", "DOG"), ("cat", "dog"), ("Cat", "DOG")),
        (("Straße", "cat"), ("STRASSE",), ("Straße", "cat")),
    ],
)
def test_names_of_one_normal_form_are_one_class(tmp_path, train, test, classes):
    root = fill(tmp_path / "set", *(f"train/{name}" for name in train))
    fill(root, *(f"val/{name}" for name in test))
    dataset = read(root)
    assert set(dataset.classes) == set(classes)
    assert (len(dataset.train), len(dataset.test)) == (4 * len(train), 4 * len(test))
    assert dataset.train.labels.min() == 0
    assert "folders of several spellings are one class" in dataset.notes[0]


def test_capitals_tell_classes_apart_where_nothing_else_does(tmp_path):
    dataset = read(fill(tmp_path / "letters", "A", "a", "b"))
    assert dataset.classes == ("A", "a", "b")
    assert "classes that differ in capitals alone are several" in dataset.notes[0]


@pytest.mark.parametrize(
    ("folders", "options", "counts"),
    [
        (("cat/site1", "cat/site2", "dog/site1"), {}, {"cat": 8, "dog": 4}),
        (("cat/site1", "dog/site2"), {"class_level": 1}, {"cat": 4, "dog": 4}),
        (("cat/site1", "cat/site2", "dog/site1"), {"class_level": 2}, {"site1": 8, "site2": 4}),
        (("2024/cat/1", "2025/dog/2", "2025/cat/3"), {"class_level": 2}, {"cat": 8, "dog": 4}),
        (("2024/cat/1", "2025/dog/2"), {"class_level": -1}, {"1": 4, "2": 4}),
        (("cat", "dog"), {"class_level": -1}, {"cat": 4, "dog": 4}),
        (("cat", "dog"), {"labels": "none"}, {None: 8}),
        (("images/cat", "images/dog"), {}, {"cat": 4, "dog": 4}),
        (("cat/images", "dog/images"), {}, {"cat": 4, "dog": 4}),
        (("a/b/cat/x", "a/b/dog/x"), {}, {"cat": 4, "dog": 4}),
        (("cat",), {}, {"cat": 4}),
        ((".", "cat", "dog"), {}, {None: 4, "cat": 4, "dog": 4}),
        ((".", "cat/deep"), {}, {None: 4, "cat": 4}),
    ],
)
def test_the_class_is_the_folder_directly_below_unless_options_say_otherwise(
    tmp_path, folders, options, counts
):
    alone = fill(tmp_path / "alone", *folders)
    split = fill(tmp_path / "split", *(f"{s}/{name}" for name in folders for s in ("train", "val")))
    assert by_class(read(alone, **options)) == counts
    assert by_class(read(split, **options)) == {name: 2 * n for name, n in counts.items()}
    views = {"one": str(split), "two": str(split)}
    pairs = data.paired_folders(views, 8, cache=str(tmp_path / "cache"), **options)
    assert by_class(pairs) == {name: 2 * n for name, n in counts.items()}


def test_a_wrapper_in_one_set_and_a_single_class_in_the_other(tmp_path):
    root = fill(tmp_path / "set", "train/images/cat", "train/images/dog", "val/cat", "val/dog")
    assert by_class(read(root)) == {"cat": 8, "dog": 8}
    root = fill(tmp_path / "other", "train/cat/1", "train/dog/1", "val/cat/1", "val/cat/2")
    assert by_class(read(root)) == {"cat": 12, "dog": 4}


def test_folders_below_classes_are_named_with_the_option(tmp_path):
    root = fill(tmp_path / "set", "cat/site1", "cat/site2", "dog/site1")
    assert "lie deeper than the folder of their class (data.class_level=2" in read(root).notes[0]
    assert "deeper" not in read(root, class_level=1).notes[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": "no"}, "data.labels: expected one of folders, none, got 'no'"),
        ({"class_level": 0}, "data.class_level: expected 1, 2, ... or -1, got 0; data.labels=none"),
        ({"class_level": -2}, "data.class_level: expected 1, 2, ... or -1, got -2"),
        ({"class_level": 3}, "data.class_level: expected at most 1, the depth of .*set, got 3"),
    ],
)
def test_wrong_options_are_refused(tmp_path, options, message):
    with refused(message):
        read(fill(tmp_path / "set", "cat", "dog"), **options)


def test_a_cache_of_other_labels_is_not_used(tmp_path):
    root = fill(tmp_path / "set", "2024/cat", "2025/dog")
    results = [
        read(root, **options).classes
        for options in ({}, {"class_level": 2}, {"labels": "none"}, {"class_level": 2}, {})
    ]
    assert results == [("2024", "2025"), ("cat", "dog"), (), ("cat", "dog"), ("2024", "2025")]


def test_stems_of_paired_views_are_compared_in_one_form(tmp_path):
    names = {"rgb": ("IMG_1.PNG", f"{COMPOSED}.png"), "depth": ("img_1.bmp", f"{DECOMPOSED}.bmp")}
    for view, files in names.items():
        for name in files:
            picture(tmp_path / view / name)
    views = {view: str(tmp_path / view) for view in names}
    pairs = data.paired_folders(views, 8, cache=str(tmp_path / "cache"), test_share=0.5)
    assert len(pairs.train) == len(pairs.test) == 1
    for view in names:
        for name in "aA":
            picture(tmp_path / view / f"{name}.png")  # two samples, as their names say
    (tmp_path / "depth" / "img_1.bmp").rename(tmp_path / "depth" / "IMG_1.bmp")
    pairs = data.paired_folders(views, 8, cache=str(tmp_path / "cache"), test_share=0.5)
    assert len(pairs.train) == len(pairs.test) == 2


# Files of NumPy


@pytest.mark.parametrize(
    ("train", "test"), [("Train", "Val"), ("training", "dev"), ("TRAIN", "TEST")]
)
def test_files_of_numpy_under_names_of_every_kind(tmp_path, train, test):
    for part, n in ((train, 6), (test, 4)):
        np.save(tmp_path / f"{part}_images.npy", np.zeros((n, 3, 8, 8), np.uint8))
        np.save(tmp_path / f"{part}_labels.npy", np.arange(n) % 2)
    (tmp_path / "notes.txt").write_text("text")
    dataset = data.arrays(str(tmp_path))
    assert (len(dataset.train), len(dataset.test), dataset.classes) == (6, 4, ("0", "1"))
    assert dataset.notes == (f"left out of {tmp_path}: 1 other file (notes.txt)",)


def test_the_test_file_of_numpy_comes_first(tmp_path):
    for i, part in enumerate(("train", "test", "val"), 1):
        np.save(tmp_path / f"{part}_images.npy", np.zeros((i, 3, 8, 8), np.uint8))
    dataset = data.arrays(str(tmp_path))
    assert len(dataset.test) == 2 and "1 other file (val_images.npy)" in dataset.notes[0]


# Labels that look like none


@pytest.mark.parametrize(
    ("folders", "count", "reason"),
    [
        ([f"2024-01-{i:02}" for i in range(1, 9)], 3, "their names are dates (2024-01-01, 20"),
        ([f"202401{i:02}" for i in range(1, 9)], 3, "their names are dates"),
        (["5.1.2024", "6.1.2024 noon"], 3, "their names are dates"),
        (["2019", "2020"], 3, "their names are dates"),
        ([f"{i * 7 + 100}" for i in range(30)], 3, "their names are numbers"),
        ([f"person {i}" for i in range(6)], 1, "there are 6 training images"),
        ([f"{i}" for i in range(10)], 3, None),
        ([f"{i}" for i in range(1, 31)], 3, None),  # counted, as the flowers of Oxford
        (["cat", "2024-01-01"], 3, None),
        (["cat", "dog"], 2, None),
        (["n01440764", "n02102040"], 3, None),
    ],
)
def test_labels_that_look_like_none_are_named(tmp_path, folders, count, reason):
    root = tmp_path / "set"
    fill(root, *(f"{split}/{name}" for name in folders for split in ("train", "val")), count=count)
    warning = label_warning(read(root))
    if reason is None:
        assert warning is None
    else:
        assert f"{len(folders)} classes look like no labels, since {reason}" in warning
        assert "data.labels=none" in warning and "data.class_level=2" in warning
