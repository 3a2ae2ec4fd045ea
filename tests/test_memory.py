"""Banks and queues: who is drawn, how rows move, what their age tells, and that all is saved."""

import math

import pytest
import torch
from infomin.methods.objectives import build_objective
from refusal import refused
from torch.nn import functional as F

from infomin.core import rng
from infomin.methods.memory import MemoryBank, MomentumQueue
from infomin.models import build_encoders

VIEWS, N, D = 2, 40, 6
INDEX = torch.tensor([3, 0, 39, 17])


def unit(b=4):
    return [F.normalize(torch.randn(b, D), dim=1) for _ in range(VIEWS)]


def lengths(memory):
    return memory.rows.double().norm(dim=2)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("kind", [MemoryBank, MomentumQueue])
def test_rows_have_length_1_from_the_start_and_stay_so(kind, dtype):
    memory = kind(VIEWS, N, D, dtype=dtype)
    assert memory.rows.shape == (VIEWS, N, D) and memory.rows.dtype == getattr(torch, dtype)
    memory.update(INDEX, unit()) if kind is MemoryBank else memory.push(INDEX, unit())
    torch.testing.assert_close(lengths(memory), torch.ones(VIEWS, N), atol=1e-3, rtol=0)
    memory.check()


def test_rows_start_all_over_the_sphere_and_as_the_seed_says():
    rows = MemoryBank(1, 4000, 3).rows[0]
    assert rows.mean(0).abs().max() < 0.05
    assert torch.equal(rows, MemoryBank(1, 4000, 3).rows[0])
    assert not torch.equal(rows, MemoryBank(1, 4000, 3, seed=1).rows[0])


@pytest.mark.parametrize("draws", ["shared", "per_sample"])
def test_no_own_sample_is_drawn_and_every_other_one_alike(draws):
    bank, k = MemoryBank(VIEWS, N, D), 20
    counts = torch.zeros(len(INDEX), N)
    for i in range(400):
        which = getattr(bank, draws)(INDEX, k, rng.generator(0, "t", i))
        for row, drawn in zip(counts, which.expand(len(INDEX), k), strict=True):
            row += torch.bincount(drawn, minlength=N)
    own = set(INDEX.tolist())
    for anchor, row in zip(INDEX.tolist(), counts, strict=True):
        never = own if draws == "shared" else {anchor}
        assert {i for i, times in enumerate(row.tolist()) if not times} == never
        left = row[[i for i in range(N) if i not in never]]
        assert (left / left.mean() - 1).abs().max() < 0.35  # 4.5 deviations of a binomial


def test_a_row_moves_by_its_momentum_and_the_others_do_not():
    bank, z = MemoryBank(VIEWS, N, D, momentum=0.25), unit()
    before = bank.rows.double()
    bank.update(INDEX, z)
    for view in range(VIEWS):
        expected = F.normalize(0.25 * before[view, INDEX] + 0.75 * z[view], dim=1)
        torch.testing.assert_close(bank.rows[view, INDEX].double(), expected, atol=1e-6, rtol=0)
    others = [i for i in range(N) if i not in INDEX]
    assert torch.equal(bank.rows[:, others].double(), before[:, others])


def test_without_momentum_a_row_is_the_embedding():
    bank, z = MemoryBank(VIEWS, N, D, momentum=0.0), unit()
    bank.update(INDEX, z)
    torch.testing.assert_close(bank.rows[1, INDEX].double(), z[1], atol=1e-6, rtol=0)


def test_the_oldest_keys_give_way():
    queue = MomentumQueue(VIEWS, 10, D)
    first, second = unit(), unit()
    start = queue.rows.clone()
    queue.push(torch.arange(4), first)
    queue.push(torch.arange(4, 8), second)
    assert int(queue.pointer) == 8 and queue.owners.tolist() == [*range(8), -1, -1]
    torch.testing.assert_close(queue.rows[0, 4:8].double(), second[0], atol=1e-6, rtol=0)
    assert torch.equal(queue.rows[:, 8:], start[:, 8:])
    queue.push(torch.arange(8, 12), first)
    assert int(queue.pointer) == 2 and queue.owners.tolist() == [10, 11, *range(2, 10)]
    torch.testing.assert_close(queue.rows[1, :2].double(), first[1][2:], atol=1e-6, rtol=0)


def test_own_old_keys_are_known():
    queue = MomentumQueue(VIEWS, 10, D)
    queue.push(torch.tensor([7, 5]), unit(2))
    assert queue.own(torch.tensor([1, 2])) is None
    own = queue.own(torch.tensor([5, 2]))
    assert own.nonzero().tolist() == [[0, 1]]


@pytest.mark.usefixtures("single")
def test_keys_of_a_step_are_told_from_a_queue_without_images_but_not_from_a_batch():
    # decision 8: all images of a step have one embedding, which moves from step to step
    b, size, t = 4, 12, 0.2
    encoders = build_encoders("fourconv", (1, 1), 16, D, widths=[4, 8], pools=2).double()
    memory = {"kind": "queue", "size": size, "momentum": 0.9}
    queued = build_objective(encoders, N, b, t, None, memory).double()
    for step in range(4):
        z, index = 2 * [F.one_hot(torch.full((b,), step), D).double()], torch.arange(b) + step * b
        if step < 3:
            queued.update(z, z, index, encoders)
    told = queued(z, z, index)
    assert told.loss.item() == pytest.approx(math.log1p(size * math.exp(-1 / t)), abs=1e-9)
    assert told.accuracy == 1 and told.i_nce > 0.95 * queued.cap
    in_batch = build_objective(encoders, N, b, t)(z, (), index)
    assert in_batch.loss.item() == pytest.approx(math.log(b), abs=1e-9)


@pytest.mark.parametrize("kind", [MemoryBank, MomentumQueue])
def test_the_whole_state_is_saved(kind):
    memory, other = kind(VIEWS, N, D), kind(VIEWS, N, D, seed=1)
    memory.update(INDEX, unit()) if kind is MemoryBank else memory.push(INDEX, unit())
    other.load_state_dict(memory.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(memory.buffers(), other.buffers(), strict=True))


@pytest.mark.parametrize("wrong", [0.0, 1.2, float("nan")])
def test_rows_of_another_length_are_refused(wrong):
    bank = MemoryBank(VIEWS, N, D)
    state = bank.state_dict()
    state["rows"] = state["rows"].clone()
    state["rows"][1, 23] *= wrong
    with refused("memory: row 23 of view 2 has length .*, expected 1"):
        torch.nn.ModuleDict({"bank": bank}).load_state_dict({"bank.rows": state["rows"]})


def test_what_does_not_go_together_is_told():
    bank, generator = MemoryBank(VIEWS, N, D), rng.generator(0, "t")
    with refused("memory.negatives: expected 1..36, the samples that are no positives, got 37"):
        bank.shared(INDEX, 37, generator)
    with refused("memory.negatives: expected 1..39, the samples that are no positives, got 40"):
        bank.per_sample(INDEX, 40, generator)
    with refused("index: expected every sample of a batch once, got one twice"):
        bank.update(torch.tensor([1, 2, 1, 3]), unit())
    with refused("index: the memory has rows of 40 samples, got number 40; it belongs to other"):
        bank.update(torch.tensor([1, 2, 40, 3]), unit())
    with refused("memory.size: expected at least a batch, 4, got 3"):
        MomentumQueue(VIEWS, 3, D).push(INDEX, unit())
    with refused("memory.momentum: expected a share within"):
        MemoryBank(VIEWS, N, D, momentum=1.0)
    with refused("memory.dtype: expected one of float32, float16, got 'int8'"):
        MemoryBank(VIEWS, N, D, dtype="int8")
