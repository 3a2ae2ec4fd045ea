"""Banks and queues: which rows are drawn, how they move, and that all of them is saved."""

import pytest
import torch
from refusal import refused
from torch.nn import functional as F

from infomin.core import rng
from infomin.methods.memory import MemoryBank, MomentumQueue

VIEWS, N, D = 2, 40, 6
INDEX = torch.tensor([3, 0, 39, 17])
KINDS = pytest.mark.parametrize("kind", [MemoryBank, MomentumQueue])


def unit(b=4):
    return {i: F.normalize(torch.randn(b, D), dim=1) for i in range(VIEWS)}


def put(memory):
    (memory.update if isinstance(memory, MemoryBank) else memory.push)(INDEX, unit())


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@KINDS
def test_rows_have_length_1_from_the_start_and_after_updates(kind, dtype):
    memory = kind(VIEWS, N, D, dtype=dtype)
    assert memory.rows.shape == (VIEWS, N, D) and memory.rows.dtype == getattr(torch, dtype)
    put(memory)
    lengths = memory.rows.double().norm(dim=2)
    torch.testing.assert_close(lengths, torch.ones(VIEWS, N), atol=1e-3, rtol=0)
    memory.check()


def test_rows_start_uniformly_on_the_sphere_as_a_function_of_the_seed():
    rows = MemoryBank(1, 4000, 3).rows[0]
    assert rows.mean(0).abs().max() < 0.05
    assert torch.equal(rows, MemoryBank(1, 4000, 3).rows[0])
    assert not torch.equal(rows, MemoryBank(1, 4000, 3, seed=1).rows[0])


@pytest.mark.parametrize("pool", [None, torch.arange(0, N, 3)], ids=["all", "pool"])
@pytest.mark.parametrize("draws", ["shared", "per_sample"])
def test_own_samples_are_never_drawn_and_all_others_equally_often(draws, pool):
    bank, k = MemoryBank(VIEWS, N, D, pools={} if pool is None else {1: pool}), 20
    candidates = {*range(N)} if pool is None else {*pool.tolist()}
    index = INDEX if pool is None else torch.tensor([3, 0, 39, 18])  # all have the view
    k, counts = min(k, len(candidates) - len(index)), torch.zeros(len(index), N)
    for i in range(400):
        negatives = getattr(bank, f"draw_{draws}")(index, k, rng.generator(0, "t", i), view=1)
        for row, of_anchor in zip(counts, negatives.expand(len(index), k), strict=True):
            row += torch.bincount(of_anchor, minlength=N)
    for anchor, row in zip(index.tolist(), counts, strict=True):
        never = {*index.tolist()} if draws == "shared" else {anchor}
        assert {*row.nonzero().flatten().tolist()} == candidates - never
        drawn = row[row > 0]
        assert (drawn / drawn.mean() - 1).abs().max() < 0.35  # 4.5 deviations of a binomial


def test_samples_without_the_view_take_no_room_among_its_candidates():
    bank = MemoryBank(VIEWS, N, D, pools={0: torch.arange(10)})
    negatives = bank.draw_shared(INDEX, 8, rng.generator(0, "t"))  # two of four have the view
    assert not {*negatives.tolist()} & {*INDEX.tolist()} and negatives.max() < 10


@pytest.mark.parametrize("momentum", [0.25, 0.0])
def test_a_row_moves_by_its_momentum_and_the_others_do_not(momentum):
    bank, z = MemoryBank(VIEWS, N, D, momentum=momentum), unit()
    before = bank.rows.double()
    bank.update(INDEX, z)
    for view in range(VIEWS):
        expected = F.normalize(momentum * before[view, INDEX] + (1 - momentum) * z[view], dim=1)
        torch.testing.assert_close(bank.rows[view, INDEX].double(), expected, atol=1e-6, rtol=0)
    others = [i for i in range(N) if i not in INDEX]
    assert torch.equal(bank.rows[:, others].double(), before[:, others])


def test_the_oldest_keys_give_way_in_each_view_by_itself():
    queue = MomentumQueue(VIEWS, 10, D)
    first, second, start = unit(), unit(), queue.rows.clone()
    queue.push(torch.arange(4), first)
    queue.push(torch.arange(4, 8), second)
    assert queue.pointer.tolist() == [8, 8] and queue.owners[0].tolist() == [*range(8), -1, -1]
    torch.testing.assert_close(queue.rows[0, 4:8].double(), second[0], atol=1e-6, rtol=0)
    assert torch.equal(queue.rows[:, 8:], start[:, 8:])
    queue.push(torch.arange(8, 12), {1: first[1]})  # a batch that lacks the first view
    assert queue.pointer.tolist() == [8, 2]
    assert queue.owners[1].tolist() == [10, 11, *range(2, 10)]
    assert queue.owners[0].tolist() == [*range(8), -1, -1]
    torch.testing.assert_close(queue.rows[1, :2].double(), first[1][2:], atol=1e-6, rtol=0)


def test_old_keys_of_an_anchor_are_known():
    queue = MomentumQueue(VIEWS, 10, D)
    queue.push(torch.tensor([7, 5]), unit(2))
    assert queue.own_rows(torch.tensor([1, 2])) is None
    assert queue.own_rows(torch.tensor([5, 2])).nonzero().tolist() == [[0, 1]]


@pytest.mark.parametrize("factor", [0.0, 1.2, float("nan")])
def test_loaded_rows_of_another_length_are_refused(factor):
    bank = MemoryBank(VIEWS, N, D)
    rows = bank.rows.clone()
    rows[1, 23] *= factor
    with refused("memory: row 23 of view 2 has length .*, expected 1"):
        torch.nn.ModuleDict({"bank": bank}).load_state_dict({"bank.rows": rows})


def test_numbers_that_do_not_fit_are_refused():
    bank, generator = MemoryBank(VIEWS, N, D), rng.generator(0, "t")
    with refused(
        "memory.negatives: expected 1..36, the number of samples that are no positives, g"
    ):
        bank.draw_shared(INDEX, 37, generator)
    with refused(
        "memory.negatives: expected 1..39, the number of samples that are no positives, g"
    ):
        bank.draw_per_sample(INDEX, 40, generator)
    with refused("index: expected every sample of a batch once, got one twice"):
        bank.update(torch.tensor([1, 2, 1, 3]), unit())
    with refused("index: the memory has rows of 40 samples, got number 40; it belongs to other"):
        bank.update(torch.tensor([1, 2, 40, 3]), unit())
    with refused("memory.size: expected at least a batch, 4, got 3"):
        MomentumQueue(VIEWS, 3, D).push(INDEX, unit())
