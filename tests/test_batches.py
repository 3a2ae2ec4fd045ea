"""Labels are dealt evenly; batches and crops are functions of seed, purpose and step."""

import pytest
import torch
from batched import crops_of

from infomin import data
from infomin.augment import CropFlip
from infomin.core.errors import InputError

pytestmark = pytest.mark.usefixtures("single")

# Labels


LABELS = torch.tensor([0] * 50 + [1] * 30 + [2] * 20 + [-1] * 100)


@pytest.mark.parametrize(
    ("options", "counts"),
    [({"share": 0.3}, [10, 10, 10]), ({"number": 12}, [4, 4, 4]), ({"number": 80}, [30, 30, 20])],
)
def test_labels_are_dealt_evenly_over_classes_that_have_some_left(options, counts):
    chosen = data.labelled_subset(LABELS, **options)
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    assert LABELS[chosen].bincount().tolist() == counts


def test_all_labels_are_taken_without_a_share_and_unlabelled_images_never():
    assert data.labelled_subset(LABELS, share=None).tolist() == list(range(100))


def test_the_choice_of_labels_is_seeded_and_grows_with_the_number():
    def chosen(number, seed):
        return set(data.labelled_subset(LABELS, number=number, seed=seed).tolist())

    assert chosen(12, 0) == chosen(12, 0)
    assert chosen(12, 0) != chosen(12, 1)
    assert chosen(12, 0) < chosen(24, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": 0.0}, r"labels.share: expected a share within \(0, 1\], got 0.0"),
        ({"number": 101}, "labels.number: expected at most 100, the labels of"),
        ({"share": 0.01}, r"got 1 \(0.01 of 100\); set labels=3 or more, or labels=1.0 for all"),
        ({"number": 2}, "one of each class, got 2; set labels=3 or more, or labels=1.0 for all"),
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


def test_another_seed_stream_or_epoch_gives_another_order():
    orders = [data.Batches(50, 50, s, n) for s, n in ((0, "test"), (1, "test"), (0, "other"))]
    assert len({tuple(order(step).tolist()) for order in orders for step in (0, 1)}) == 6


def test_crops_are_a_function_of_seed_and_step_and_each_of_its_own():
    images = torch.randint(0, 256, (20, 3, 12, 12), dtype=torch.uint8)
    augment = CropFlip(6)
    first, second = (data.Batches(20, 5, 0, "test") for _ in range(2))
    crops_of(first, images, 0, augment, 2)
    (a, b), chosen = crops_of(first, images, 7, augment, 2)
    (c, d), again = crops_of(second, images, 7, augment, 2)
    assert torch.equal(a, c) and torch.equal(b, d) and torch.equal(chosen, again)
    assert not torch.equal(a, b)
    assert a.shape == (5, 3, 6, 6)


def test_the_parts_of_several_processes_are_the_whole_batch():
    images = torch.randint(0, 256, (20, 3, 12, 12), dtype=torch.uint8)
    batches, augment = data.Batches(20, 6, 0, "test"), CropFlip(6)
    (whole,), chosen = crops_of(batches, images, 2, augment, 1)
    parts = [crops_of(batches, images, 2, augment, 1, slice(i, i + 3)) for i in (0, 3)]
    assert torch.equal(torch.cat([crops[0] for crops, _ in parts]), whole)
    assert torch.equal(torch.cat([part for _, part in parts]), chosen)


@pytest.mark.parametrize("size", [0, 21])
def test_a_batch_larger_than_the_data_is_refused(size):
    with pytest.raises(InputError, match=rf"batch: expected 1..20, .*, got {size}"):
        data.Batches(20, size, 0, "test")
