"""Windows of photographs of both orientations: where they come from, and what is refused."""

import numpy as np
import pytest
import torch
from PIL import Image
from refusal import picture, refused, spoil
from sameness import same

from infomin import data

pytestmark = pytest.mark.usefixtures("single")


@pytest.fixture
def root(tmp_path):
    """Eight photographs, upright and lying: red is its number, green the row, blue the column."""
    for i in range(8):
        height, width = (24, 16) if i % 2 else (16, 24)
        pixels = np.zeros((height, width, 3), np.uint8)
        pixels[..., 0] = i
        pixels[..., 1] = np.arange(height)[:, None]
        pixels[..., 2] = np.arange(width)
        path = tmp_path / "photographs" / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
    return tmp_path / "photographs"


def read(root, **options):
    options = {"size": 10, "each": 100, **options}
    return data.windows(str(root), cache=str(root.parent / "cache"), **options)


def test_windows_are_squares_of_the_photographs_pixels(root):
    dataset = read(root)
    assert dataset.train.images.shape == (600, 3, 10, 10) and len(dataset.test) == 200
    assert dataset.train.images.dtype == torch.uint8 and dataset.name == "photographs"
    assert dataset.classes == () and (dataset.train.labels == -1).all()
    for images in (dataset.train.images.int(), dataset.test.images.int()):
        steps = torch.arange(10, dtype=torch.int)
        assert torch.equal(images[:, 1] - images[:, 1, :1], steps[:, None].expand_as(images[:, 1]))
        assert torch.equal(images[:, 2] - images[:, 2, :, :1], steps.expand_as(images[:, 2]))
        lying = images[:, 0, 0, 0] % 2 == 0
        assert images[lying, 1].max() == 15 and images[lying, 2].max() == 23, "up to the border"
        assert images[~lying, 1].max() == 23 and images[~lying, 2].max() == 15
        assert images[:, 1:].min() == 0


def test_test_windows_are_of_other_photographs(root):
    dataset = read(root)
    of = [set(part.images[:, 0].unique().tolist()) for part in (dataset.train, dataset.test)]
    assert len(of[0]) == 6 and len(of[1]) == 2 and of[0] | of[1] == set(range(8))
    other = read(root, seed=1)
    assert set(other.test.images[:, 0].unique().tolist()) != of[1]


def test_folders_for_training_and_test_are_taken_as_such(root):
    for i in range(8):
        part = root / ("test" if i < 3 else "train")
        part.mkdir(exist_ok=True)
        (root / f"{i}.png").rename(part / f"{i}.png")
    dataset = read(root, each=2)
    assert dataset.test.images[:, 0].unique().tolist() == [0, 1, 2] and len(dataset.train) == 10


def test_the_same_windows_every_time(root):
    first = read(root)
    (cached,) = (root.parent / "cache").iterdir()
    cached.unlink()
    assert same(first, read(root)) and not same(first, read(root, seed=1))


def test_wrong_photographs_and_options_are_refused(root, tmp_path):
    with refused("data.size: expected 1..16 pixels to fit into .*png, got 17"):
        read(root, size=17)
    with refused("data.size: expected a whole number of at least 1, got 0"):
        read(root, size=0)
    with refused("data.each: expected a whole number of at least 1, got 0"):
        read(root, each=0)
    grey = picture(root / "grey.png", "L", (30, 30))
    with refused(rf"{grey}: has 1 channel, expected 2 to 1024; data.convert=true"):
        read(root)
    dataset = read(root, convert=True)
    assert len(dataset.train) + len(dataset.test) == 900
    grey.unlink()
    bad = spoil(root / "3.png", "truncated")
    with refused(rf"{bad}: cannot be read \("):
        read(root)
