"""Files of HDF5 and Zarr: which of their arrays are images and labels, and what is refused."""

import h5py
import numpy as np
import pytest
import torch
from containers import read
from refusal import refused

from infomin import data
from infomin.data.stored_array import StoredArray

pytestmark = pytest.mark.usefixtures("single")


@pytest.fixture
def write(tmp_path):
    """Write arrays by name; return a function that reads them."""

    def read(arrays, name="x.h5", **options):
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            for key, value in arrays.items():
                file[key] = value
        return data.array_file(str(path), cache=str(tmp_path / "cache"), **options)

    return read


def images(n=10, channels=5, side=20, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, 200, (n, channels, side, side)).astype(dtype)


def test_one_array_of_images_is_split_in_equal_proportions(write):
    x, y = images(), np.arange(10) % 2
    dataset = write({"scan/data": x, "scan/target": y, "scan/time": np.arange(10.0)})
    assert (len(dataset.train), len(dataset.test), dataset.classes) == (8, 2, ("0", "1"))
    assert sorted(dataset.test.labels.tolist()) == [0, 1]
    assert "images from scan/data; labels from scan/target" in dataset.notes[0]
    both = torch.cat([dataset.train.images, dataset.test.images]).flatten(1)
    assert sorted(both.tolist()) == sorted(x.reshape(10, -1).tolist())
    assert write({"scan/data": x, "scan/target": y}, labels="none").classes == ()


def test_arrays_can_be_chosen_by_their_last_name(write):
    arrays = {f"{split}/{name}": images() for split in ("train", "val") for name in ("raw", "seen")}
    arrays |= {f"{split}/kind": np.arange(10) % 3 for split in ("train", "val")}
    with refused(
        "data.images: expected one array n c h w of each set .* got train/raw, train/seen"
    ):
        write(arrays)
    dataset = write(arrays, images="seen", labels="kind")
    assert len(dataset.train) == len(dataset.test) == 10 and len(dataset.classes) == 3
    with refused("data.labels: expected one array of 10 labels beside train/seen .*, got none"):
        write(arrays, images="seen", labels="sort")


def test_axes_that_do_not_tell_need_a_layout(write):
    x = images(side=12, channels=12)
    with refused("x.h5: images: has images of 12 x 12 x 12, expected squares .*; data.layout=chw"):
        write({"images": x})
    for layout, moved in (("chw", x), ("hwc", np.moveaxis(x, 1, -1))):
        dataset = write({"images": moved}, layout=layout, test_share=0.1)
        assert torch.equal(dataset.train.images[0], torch.from_numpy(x[0]))


@pytest.mark.parametrize("keep", ["mapped", "files"])
@pytest.mark.parametrize("kind", [np.uint16, np.float32, np.float64, np.int16])
def test_values_mean_their_own_numbers(write, keep, kind):
    x = images(dtype=kind, channels=300, side=4) * kind(4)
    dataset = write({"images": x}, value_range=[0, 1000], keep=keep, workers=0, layout="chw")
    kept = torch.uint16 if kind is np.uint16 else torch.float32
    both = np.concatenate([dataset.train.images.numpy(), dataset.test.images.numpy()])
    assert dataset.train.images.dtype == kept and dataset.channels == 300
    assert dataset.value_range == (0.0, 1000.0)
    assert np.array_equal(np.sort(both.astype(float), 0), np.sort(x.astype(float), 0))


@pytest.mark.parametrize("keep", ["mapped", "files"])
def test_an_image_out_of_range_is_named(write, keep):
    x = images(dtype=np.float32) / 255
    x[3, 0, 0, 0] = 7
    with refused(r"x.h5: images: image 3: has values .* outside \[0, 1\]"):
        dataset = write({"images": x}, keep=keep, workers=0, value_range=[0, 1])
        _ = dataset.train.images, dataset.test.images


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"names": np.arange(3)}, "data.images: expected one .* got none; it holds names 3"),
        ({"x": images(side=9)[..., :8]}, "x.h5: x: has images of 5 x 9 x 8, expected squares"),
        ({"images": images(), "y": np.arange(10) / 3}, "x.h5: y: label 1: expected a whole number"),
        ({"images": images(n=0)}, "x.h5: images: expected at least 1 image, got none"),
    ],
)
def test_wrong_arrays_are_refused(write, arrays, message):
    with refused(message):
        write(arrays)


def test_a_file_has_to_be_named_and_readable(tmp_path):
    with refused(r"data.root: expected a file of HDF5 .\*.h5. or Zarr .\*.zarr., got none"):
        data.array_file()
    with refused(r"data.root: expected one of \*.h5, .*, got .*x.npy"):
        data.array_file(str(tmp_path / "x.npy"))
    with refused("x.h5: no such file"):
        data.array_file(str(tmp_path / "x.h5"))
    (tmp_path / "x.h5").write_text("no arrays")
    (tmp_path / "x.zarr").mkdir()
    for name in ("x.h5", "x.zarr"):
        with refused(f"{name}: is no file of arrays that can be read"):
            data.array_file(str(tmp_path / name))


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    (tmp_path / "x.h5").touch()
    with refused(r"x.h5: needs h5py; pip install 'infomin\[data\]'"):
        data.array_file(str(tmp_path / "x.h5"))


def test_a_process_opens_its_own_file(tmp_path):
    import pickle

    read("hdf5", tmp_path)
    array = StoredArray(tmp_path / "hdf5" / "all.h5", "train/images")
    again = pickle.loads(pickle.dumps(array))
    assert again._opened == (0, None) and np.array_equal(again[2], array[2])
