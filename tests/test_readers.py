"""Readers of all kinds of files give the same bits, whether images wait in memory or in files."""

from pathlib import Path

import numpy as np
import pytest
import torch
from containers import KINDS, N, label, order, pixels, read
from torch.utils.data import ConcatDataset, Dataset, Subset

from infomin import data
from infomin.data.loader import Reader

pytestmark = pytest.mark.usefixtures("single")

KEEPS = [("mapped", None), ("files", 0), ("files", 2)]


def expected(split):
    return torch.stack([torch.from_numpy(pixels(split, i)).permute(2, 0, 1) for i in order(split)])


def check(dataset):
    """Images, labels and batches of any share and any step are those that were written."""
    assert dataset.train.labels.tolist() == ["ab".index(label(i)) for i in order("train")]
    for split, part in (("train", dataset.train), ("val", dataset.test)):
        assert torch.equal(part.images, expected(split))
    batches = data.Batches(N["train"], 5, 0, "test")
    reader = Reader(dataset.train.source, batches, torch.device("cpu"))
    for step in (3, 4, 1):
        assert torch.equal(reader(step, slice(1, 4)), expected("train")[batches(step)[1:4]])


@pytest.mark.slow
@pytest.mark.parametrize(("keep", "workers"), KEEPS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_reader_gives_the_same_bits(tmp_path, kind, keep, workers):
    check(read(kind, tmp_path, keep=keep, workers=workers))


class Pictures(Dataset):
    """A data set of one's own; `taken` counts the items that were asked for."""

    def __init__(self, split, targets=True):
        self.split, self.taken = split, 0
        if targets:
            self.targets = [i % 2 for i in order(split)]
            self.classes = ["a", "b"]

    def __len__(self):
        return N[self.split]

    def __getitem__(self, index):
        self.taken += 1
        i = order(self.split)[index]
        return pixels(self.split, i), i % 2


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("targets", [True, False])
def test_a_data_set_of_torch_is_read_on_demand(targets, workers):
    train, test = Pictures("train", targets), Pictures("val", targets)
    dataset = data.from_torch(train, test, keep="files", workers=workers)
    assert train.taken == (1 if targets else N["train"] + 1)  # labels, and one image
    check(dataset)
    halves = ConcatDataset([Subset(train, range(5)), Subset(train, range(5, N["train"]))])
    check(data.from_torch(halves, test, keep="files", workers=workers))


def test_a_share_that_is_held_out_on_demand_is_the_one_in_memory():
    images = np.stack([pixels("train", i) for i in range(12)])
    labels = [i % 2 for i in range(12)]
    memory, files = (
        data.from_torch((images, labels), keep=keep, workers=0, test_share=0.3)
        for keep in ("auto", "files")
    )
    assert torch.equal(memory.test.images, files.test.images)
    assert torch.equal(memory.train.labels, files.train.labels)


def test_arrays_are_mapped_and_not_copied(tmp_path):
    dataset = read("npy", tmp_path, keep="mapped")
    first = dataset.train.source.tensor.data_ptr()
    lines = Path("/proc/self/maps").read_text().splitlines()
    spans = [line.split()[0].split("-") for line in lines if "npy/train_images.npy" in line]
    assert dataset.train.source.mapped and dataset.test.source.mapped
    assert any(int(a, 16) <= first < int(b, 16) for a, b in spans)
