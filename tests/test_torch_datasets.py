"""Data sets of PyTorch become a `DataSet`, with the pixels that folders and arrays give."""

import numpy as np
import pytest
import torch
from PIL import Image
from refusal import refused
from stacks import six_channel_folder
from torch.utils.data import ConcatDataset, IterableDataset, Subset, TensorDataset
from torchvision.datasets import FakeData, ImageFolder
from torchvision.transforms import ToTensor

from infomin import data
from infomin.core.errors import InputError
from infomin.data import from_torch
from infomin.data.split import hold_out_by_class

pytestmark = pytest.mark.usefixtures("single")


def pixels(*shape, dtype=np.uint8, top=256):
    values = np.random.default_rng(0).integers(0, top, shape)
    return values.astype(dtype) if np.dtype(dtype).kind == "u" else (values / top).astype(dtype)


def write_folder(root, per_class=4, classes="abc"):
    """Pictures of 20 x 16 in folders of classes."""
    for i, image in enumerate(pixels(len(classes) * per_class, 16, 20, 3)):
        path = root / classes[i % len(classes)] / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return root


def equal(a, b):
    parts = zip((a.train, a.test), (b.train, b.test), strict=True)
    return all(
        x.images.dtype == y.images.dtype
        and torch.equal(x.images, y.images)
        and torch.equal(x.labels, y.labels)
        for x, y in parts
    )


# The same tensors as of folders and arrays


def test_an_image_folder_of_torchvision_is_that_of_this_package(tmp_path):
    write_folder(tmp_path / "set" / "train")
    write_folder(tmp_path / "set" / "val", 1)
    ours = data.image_folder(str(tmp_path / "set"), 8, cache=str(tmp_path / "cache"))
    parts = [ImageFolder(tmp_path / "set" / part) for part in ("train", "val")]
    counts = []
    theirs = from_torch(*parts, size=8, progress=lambda *count: counts.append(count))
    assert equal(ours, theirs) and theirs.classes == ("a", "b", "c")
    assert counts == [(i, 15) for i in range(1, 16)]


@pytest.mark.parametrize(
    ("dtype", "size"), [(np.uint8, 9), (np.uint16, None), (">u2", 9), (np.float64, 9)]
)
def test_arrays_are_those_of_files(tmp_path, dtype, size):
    images, labels = pixels(20, 6, 12, 12, dtype=dtype), np.arange(20) % 3
    for part, index in (("train", slice(15)), ("test", slice(15, 20))):
        np.save(tmp_path / f"{part}_images.npy", images[index])
        np.save(tmp_path / f"{part}_labels.npy", labels[index])
    ours = data.arrays(str(tmp_path), size, channel_names="abcdef")
    first, last = (images[:15], labels[:15]), (images[15:], torch.from_numpy(labels[15:]))
    theirs = from_torch(first, last, size=size, channel_names="abcdef")
    assert (
        equal(ours, theirs)
        and ours.generator_options == theirs.generator_options
        and ours.classes == theirs.classes
    )
    behind = [(np.moveaxis(x, 1, 3), y) for x, y in (first, last)]
    assert equal(theirs, from_torch(*behind, size=size))
    if np.dtype(dtype).byteorder != ">":
        tensors = [(torch.from_numpy(x), y) for x, y in (first, last)]
        assert equal(theirs, from_torch(*tensors, size=size))


def test_arrays_one_by_one_are_those_of_a_folder_of_files(tmp_path):
    for split, layout in (("train", "hwc"), ("val", "chw")):
        six_channel_folder(tmp_path / split, count=3, layout=layout)
    options = {"size": 16, "value_range": (0, 4095)}
    ours = data.image_folder(str(tmp_path), cache=str(tmp_path / "cache"), **options)
    parts = [
        [(np.load(p), p.parent.name) for p in sorted((tmp_path / split).rglob("*.npy"))]
        for split in ("train", "val")
    ]
    theirs = from_torch(*parts, **options)
    assert equal(ours, theirs) and theirs.classes == ("astronaut", "coffee")
    assert theirs.value_range == (0, 4095)


# Items and labels of every kind


def test_fake_data_with_and_without_a_transform():
    fake = from_torch(FakeData(20, (3, 12, 12), num_classes=4), name="fake", test_share=0.25)
    assert (fake.name, fake.channels, fake.size) == ("fake", 3, 12)
    assert (len(fake.train), len(fake.test), fake.train.images.dtype) == (15, 5, torch.uint8)
    floats = from_torch(FakeData(20, (3, 12, 12), num_classes=4, transform=ToTensor()))
    assert floats.train.images.dtype == torch.float32


@pytest.mark.parametrize("mode", ["L", "I;16", "F"])
def test_grey_images_have_one_channel(mode):
    kind = {"L": np.uint8, "I;16": np.uint16, "F": np.float32}[mode]
    images = pixels(5, 12, 12, dtype=kind)
    pictures = [Image.fromarray(image) for image in images]
    assert {picture.mode for picture in pictures} == {mode}
    for train in (pictures, list(images), images, torch.from_numpy(images), images[..., None]):
        grey = from_torch(train, images)
        assert grey.channel_names == ("channel_0",) and grey.classes == ()
        assert np.array_equal(grey.train.images.numpy(), images[:, None])
        assert grey.train.labels.tolist() == [-1] * 5


@pytest.mark.parametrize(
    ("labels", "expected", "classes"),
    [
        ([7, 3, 7, 100], [1, 0, 1, 2], ("3", "7", "100")),
        ([5, -1, None, 5], [0, -1, -1, 0], ("5",)),
        (["cat", "ant", "cat", None], [1, 0, 1, -1], ("ant", "cat")),
        (torch.tensor([[2], [4], [2], [2]]), [0, 1, 0, 0], ("2", "4")),
        (np.array([1, 0, 1, 0], np.uint8), [1, 0, 1, 0], ("0", "1")),
        (np.array(["b", "a", "b", "b"]), [1, 0, 1, 1], ("a", "b")),
        ([True, False, True, True], [1, 0, 1, 1], ("0", "1")),
        ([None] * 4, [-1] * 4, ()),
    ],
)
def test_labels_become_classes(labels, expected, classes):
    images = pixels(4, 3, 8, 8)
    items = list(zip(torch.from_numpy(images), labels, ["more"] * 4, strict=True))
    for train in (items, (images, labels), (list(images), labels)):
        dataset = from_torch(train, train)
        assert (dataset.train.labels.tolist(), dataset.classes) == (expected, classes)
        assert dataset.train.labels.dtype == torch.int64


def test_tensor_datasets_subsets_and_concatenations():
    images, labels = torch.from_numpy(pixels(6, 3, 8, 8)), torch.arange(6) % 2
    whole = TensorDataset(images, labels)
    both = ConcatDataset([Subset(whole, [0, 1]), Subset(whole, [2, 3, 4, 5])])
    for train in (whole, both):
        assert equal(from_torch(train, whole), from_torch((images, labels), (images, labels)))
    assert from_torch(TensorDataset(images)).classes == ()


def test_class_names_of_torchvision_reach_through_subsets(tmp_path):
    train = ImageFolder(write_folder(tmp_path / "train"))
    test = ImageFolder(write_folder(tmp_path / "test", classes="bc"))  # its 0 is b, not a
    half = Subset(ConcatDataset([train, train]), range(0, 24, 2))
    dataset = from_torch(half, test, size=8)
    assert dataset.classes == ("a", "b", "c") and set(dataset.test.labels.tolist()) == {1, 2}
    assert dataset.train.labels.tolist() == [train.targets[i % 12] for i in range(0, 24, 2)]
    assert from_torch(train, size=8, classes="xyz").classes == ("x", "y", "z")
    with refused("train: the parts of ConcatDataset have other classes; give classes"):
        from_torch(ConcatDataset([train, test]), size=8)


def test_a_data_set_is_returned_as_it_is():
    scenes = data.scenes(8, 10, 10)
    assert from_torch(scenes) is scenes
    with refused("test: expected none beside a DataSet"):
        from_torch(scenes, scenes)


# The share that is held out


@pytest.mark.parametrize("counts", [(40, 40, 20), (97, 2, 1), (100,)])
def test_classes_are_held_out_in_proportion_disjoint_and_seeded(counts):
    labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    train, test = hold_out_by_class(labels, 0.2, seed=0)
    assert len(test) == 20 and torch.cat([train, test]).sort().values.tolist() == list(range(100))
    assert set(labels[train].tolist()) == set(labels.tolist())
    for label, count in enumerate(counts):
        assert abs(int((labels[test] == label).sum()) - count / 5) < 1.5
    assert torch.equal(hold_out_by_class(labels, 0.2, seed=0)[1], test)
    assert not torch.equal(hold_out_by_class(labels, 0.2, seed=1)[1], test)


def test_one_class_and_too_few_images():
    images = pixels(10, 3, 8, 8)
    assert from_torch((images, [4] * 10)).classes == ("4",)
    with refused("test_share: 0.2 of 10 images are 2, but only 0 remain beside one image of each"):
        from_torch((images, range(10)))
    with refused("test_share: 0.01 of 10 images leaves 0 for test"):
        from_torch(images, test_share=0.01)


# What is refused


class Stream(IterableDataset):
    def __iter__(self):
        return iter(RGB)


RGB = pixels(4, 3, 8, 8)
OTHER = [*torch.from_numpy(RGB)]


@pytest.mark.parametrize(
    ("train", "options", "message"),
    [
        (Stream(), {}, "^train: expected a map-style data set, .*, got Stream; a list"),
        ("photos/", {}, "^train: expected a map-style data set, .*, got str"),
        ({"train": []}, {}, "^train: expected a map-style data set, .*, got dict"),
        ([], {}, "^train: expected at least 1 image, got none"),
        ((RGB, [0, 1]), {}, "^train: expected a label for each of 4 images, got 2"),
        (RGB[0, 0], {}, "^train: expected n c h w or n h w c, got 8 x 8"),
        ([{"image": 1}], {}, "^train: image 0: expected a PIL image, an array or a te.*, got dict"),
        ([Image.new("CMYK", (8, 8))], {}, "^train: image 0: has mode CMYK, .*; convert=true makes"),
        (pixels(4, 3, 20, 24), {}, "^train: image 0: is 24x20, expected a square; set size=N"),
        ([*OTHER, RGB[0, :, :6, :6]], {}, "^images of .*: image 0 is 8x8, .*: image 4 is 6x6; set"),
        ([*OTHER, RGB[0, 0]], {}, "image 0 is 3 channels of .*image 4 is 1 channels"),
        ([*(RGB / 255), RGB[0] * 1.0], {}, r"values span 0 to 255 \(highest in train: image 4\)"),
        (RGB / 200, {}, r"^value_range: .* outside \[0, 1\], .*; set value_range=\[0,1.3\]$"),
        (RGB, {"size": 0}, "^size: expected at least 1 pixel, got 0"),
        ((RGB, np.eye(4)), {}, "^train: image 0: label: expected an integer or a word, got array"),
        ((RGB, [0, 1, 0.5, 1]), {}, "^train: image 2: label: expected an integer or a word, got 0"),
        ((RGB, [0, 1, 2, 1]), {"classes": "ab"}, "image 2: label: expected 0..1, an index of cla"),
        ((RGB, [*"aba", "c"]), {"classes": "ab"}, "image 3: label: expected one of a, b, got 'c'"),
        ((RGB, [0, 1, 0, 1]), {"test": (RGB, [0, 1, 1, 2])}, "^test: image 3: class 2 has no tr"),
    ],
)
def test_an_error_names_the_first_image_that_cannot_be_used(train, options, message):
    with pytest.raises(InputError, match=message):
        from_torch(train, **options)


def test_the_first_images_are_checked_before_the_others_are_read():
    class Slow(list):
        def __getitem__(self, index):
            assert index == 0, "read too early"
            return super().__getitem__(index)

    with refused("train: image 0 is 3 channels of uint8, test: image 0 is 1 channels of uint8"):
        from_torch(Slow(RGB), Slow(RGB[:, 0]))
