"""Banks and queues: which rows are drawn, how they move, and that all of them is saved."""

import pytest
import torch
from refusal import refused
from torch.nn import functional as F

from infomin.methods import Batch, Context
from infomin.methods.memory import BankNegatives, MemoryBank, MomentumQueue

VIEWS, N, D = (0, 1), 40, 6
INDEX = torch.tensor([3, 0, 39, 18])
POOL = torch.arange(0, N, 3)  # all of INDEX are there


def unit(b=4):
    return {i: F.normalize(torch.randn(b, D), dim=1) for i in VIEWS}


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("kind", [MemoryBank, MomentumQueue])
def test_rows_have_length_1_from_the_start_and_after_updates(kind, dtype):
    memory = kind(VIEWS, N, D, dtype=dtype)
    assert memory.rows.shape == (2, N, D) and memory.rows.dtype == getattr(torch, dtype)
    (memory.update if kind is MemoryBank else memory.push)(INDEX, unit())
    lengths = memory.rows.double().norm(dim=2)
    torch.testing.assert_close(lengths, torch.ones(2, N), atol=1e-3, rtol=0)
    memory.check()


def test_rows_start_uniformly_on_the_sphere_as_a_function_of_the_seed():
    rows = MemoryBank([0], 4000, 3).rows[0]
    assert rows.mean(0).abs().max() < 0.05
    assert torch.equal(rows, MemoryBank([0], 4000, 3).rows[0])
    assert not torch.equal(rows, MemoryBank([0], 4000, 3, seed=1).rows[0])


@pytest.mark.parametrize("pool", [None, POOL], ids=["all", "pool"])
@pytest.mark.parametrize("mask_own", [False, True])
@pytest.mark.parametrize("draws", ["shared", "per_sample"])
def test_all_samples_are_drawn_equally_often_but_masked_ones(draws, mask_own, pool):
    context = Context(N, len(INDEX), rows={} if pool is None else {1: pool})
    candidates = {*range(N)} if pool is None else {*pool.tolist()}
    k, counts = min(20, len(candidates) - len(INDEX)), torch.zeros(len(INDEX), N)
    negatives = BankNegatives(VIEWS, D, context, k, draws=draws, mask_own=mask_own)
    for step in range(400):
        drawn = negatives.draw(1, Batch(INDEX, step))
        for row, of_anchor in zip(counts, drawn.expand(len(INDEX), k), strict=True):
            row += torch.bincount(of_anchor, minlength=N)
    for anchor, row in zip(INDEX.tolist(), counts, strict=True):
        never = {*INDEX.tolist()} if draws == "shared" else {anchor}
        never = never if mask_own else set()
        assert {*row.nonzero().flatten().tolist()} == candidates - never
        often = row[row > 0]
        assert (often / often.mean() - 1).abs().max() < 0.35  # 4.5 deviations of a binomial


def test_negatives_of_a_step_are_those_of_every_pair_and_a_function_of_the_step():
    negatives = BankNegatives(VIEWS, D, Context(N, len(INDEX)), 12)
    steps = [Batch(INDEX, step) for step in (0, 1, 0)]
    first, second, again = (negatives.draw(0, batch) for batch in steps)
    assert torch.equal(first, again) and not torch.equal(first, second)
    assert negatives.draw(0, steps[0]) is negatives.draw(1, steps[0])


@pytest.mark.parametrize(
    ("draws", "mask_own", "room"),
    [
        ("shared", True, 10),
        ("per_sample", True, 13),
        ("shared", False, 14),
        ("per_sample", False, 14),
    ],
)
def test_more_negatives_than_there_are_are_refused(draws, mask_own, room):
    context = Context(N, len(INDEX), rows={0: torch.arange(N), 1: POOL})
    message = f"memory.negatives: expected 1..{room}, the number of samples to draw from, got "
    with refused(f"{message}{room + 1}; set memory.negatives={room} or fewer"):
        BankNegatives(VIEWS, D, context, room + 1, draws=draws, mask_own=mask_own)


def test_negatives_of_every_anchor_have_the_same_scores_picked_or_gathered(monkeypatch):
    negatives, z = BankNegatives(VIEWS, D, Context(N, len(INDEX)), 12), unit()
    z[0].requires_grad_()
    picked = negatives.compare(z[0], 1, z, Batch(INDEX))[1]
    monkeypatch.setattr("infomin.methods.memory.ALL_ROWS", 0)
    gathered = negatives.compare(z[0], 1, z, Batch(INDEX))[1]
    torch.testing.assert_close(picked, gathered)
    weights = torch.randn_like(picked)
    ours, theirs = (torch.autograd.grad((s * weights).sum(), z[0]) for s in (picked, gathered))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("momentum", [0.25, 0.0])
def test_a_row_moves_by_its_momentum_and_the_others_do_not(momentum):
    bank, z = MemoryBank([1], N, D, momentum=momentum), unit()
    before = bank.rows[0].double()
    bank.update(INDEX, z)
    expected = F.normalize(momentum * before[INDEX] + (1 - momentum) * z[1], dim=1)
    torch.testing.assert_close(bank.of(1)[INDEX].double(), expected, atol=1e-6, rtol=0)
    others = [i for i in range(N) if i not in INDEX]
    assert torch.equal(bank.rows[0, others].double(), before[others])
    with refused("index: expected every sample of a batch once, got one twice"):
        bank.update(torch.tensor([1, 2, 1, 3]), z)


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
    assert queue.own_rows(torch.tensor([1, 2]), 0) is None
    assert queue.own_rows(torch.tensor([5, 2]), 0).nonzero().tolist() == [[0, 1]]


@pytest.mark.parametrize("factor", [0.0, 1.2, float("nan")])
def test_loaded_rows_of_another_length_are_refused(factor):
    bank = MemoryBank([2, 5], N, D)
    rows = bank.rows.clone()
    rows[1, 23] *= factor
    with refused("memory: row 23 of view 6 has length .*, expected 1"):
        torch.nn.ModuleDict({"bank": bank}).load_state_dict({"bank.rows": rows})
