"""Chunks of a batch give the result of the whole batch; only sampled parameters go to a device.

Tensors of the device `meta` have shapes and no values. They stand for those of a GPU, to which one
batch of 512 at 96 px once sent 75 MB of interpolation weights made on the CPU.
"""

from dataclasses import dataclass

import pytest
import torch
from batched import crops_of
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from infomin.augment import ColorJitter, CropFlip, JigSaw, Pipeline, RandAugment
from infomin.core import batching, rng
from infomin.core.batching import Params, apply_by_group, concatenate, map_chunks
from infomin.data import Batches

N, SIDE = 32, 48
JITTER = ColorJitter(0.8, 0.8, 0.8, 0.2, jitter=0.8, gray=0.2, blur=0.5)
RAND = RandAugment(["rotate", "shear_x", "translate_y", "invert", "sharpness"], p=1.0)
AUGMENTS = {
    "larger": CropFlip(SIDE),
    "smaller": CropFlip(SIDE // 2),
    "whole": CropFlip(SIDE, (1, 1), (1, 1)),
    "colours": Pipeline(CropFlip(SIDE), JITTER),
    "randaugment": Pipeline(CropFlip(SIDE), JITTER, RAND),
    "jigsaw": JigSaw(SIDE),
}


@pytest.fixture
def chunks_of_three(monkeypatch):
    monkeypatch.setattr(batching, "_CHUNK_NUMBERS", 3 * 2 * 4 * 4)


@pytest.mark.parametrize("n", [0, 3, 11])
def test_mapped_chunks_are_the_whole_batch(n, chunks_of_three):
    x, slices = torch.rand(n, 2, 4, 4), []

    def halve(part, index):
        slices.append(index)
        assert torch.equal(part, x[index])
        return part[:, :1, ::2] * 0.5

    assert torch.equal(map_chunks(x, halve), x[:, :1, ::2] * 0.5)
    assert [i for index in slices for i in range(n)[index]] == list(range(n))
    assert all(len(range(n)[index]) <= 3 for index in slices)


def test_gradients_pass_through_chunks(chunks_of_three):
    x = torch.rand(7, 2, 4, 4, requires_grad=True)
    map_chunks(x, lambda part, index: part**2).sum().backward()
    torch.testing.assert_close(x.grad, 2 * x.detach())


@pytest.mark.parametrize("n", [0, 23])
def test_samples_change_round_by_round_each_by_its_own_operation_and_amount(n, chunks_of_three):
    operations = [
        lambda part, by: part + by.view(-1, 1, 1, 1),
        lambda part, by: part * by.view(-1, 1, 1, 1),
        lambda part, by: part.flip(3),
    ]
    x, amount = torch.rand(n, 2, 4, 4), torch.rand(n, 2)
    choice = torch.randint(-1, 3, (n, 2))
    expected = x.clone()
    for i in range(n):
        for k in range(2):
            if choice[i, k] >= 0:
                operation, one = operations[choice[i, k]], expected[i : i + 1]
                expected[i : i + 1] = operation(one, amount[i, k])
    apply_by_group(x, choice, operations, amount)
    assert torch.equal(x, expected)


def test_parameters_are_sliced_and_concatenated():
    @dataclass(frozen=True)
    class Inner(Params):
        a: torch.Tensor

    @dataclass(frozen=True)
    class Outer(Params):
        inner: Inner
        b: torch.Tensor

    first, second = (Outer(Inner(torch.rand(n)), torch.rand(n, 2)) for n in (3, 5))
    joined = concatenate([first, second])
    assert torch.equal(joined.inner.a, torch.cat([first.inner.a, second.inner.a]))
    assert torch.equal(joined.b, torch.cat([first.b, second.b]))
    assert torch.equal(joined[3:].inner.a, second.inner.a) and torch.equal(joined[:3].b, first.b)
    assert concatenate([Params(), Params()]) == Params()[:2] == Params()


@pytest.mark.parametrize("source", [torch.uint8, torch.float64])
def test_crops_are_the_same_in_chunks(source, monkeypatch):
    images = torch.randint(0, 256, (10, 3, 16, 12)).to(source)
    crop = CropFlip(12, (0.2, 1.0))
    params = crop.sample(10, 16, 12, rng.generator(0, "test"))
    whole = crop.apply(images, params)
    monkeypatch.setattr(batching, "_CHUNK_NUMBERS", 3 * images[0].numel())
    torch.testing.assert_close(crop.apply(images, params), whole, rtol=0, atol=0)


class Counter(TorchDispatchMode):
    """Counts the bytes copied from the CPU and the operations on the device."""

    bytes = operations = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        source = args[0] if args else None
        leaves = tree_leaves(result)
        self.operations += any(isinstance(t, torch.Tensor) and t.is_meta for t in leaves)
        if isinstance(source, torch.Tensor) and isinstance(result, torch.Tensor):
            self.bytes += source.nbytes if (source.is_cpu and result.is_meta) else 0
        return result


@pytest.mark.parametrize("name", AUGMENTS)
def test_only_sampled_parameters_go_to_the_device(name):
    images = torch.empty(N, 3, SIDE, SIDE, dtype=torch.uint8, device="meta")
    params = AUGMENTS[name].sample(N, SIDE, SIDE, rng.generator(0, "test"))
    with Counter() as counter:
        result = AUGMENTS[name].apply(images, params)
    assert result.is_meta and 0 < counter.bytes <= 512 * N


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in AUGMENTS if name != "jigsaw"])
def test_the_device_runs_as_many_operations_for_many_samples_and_views_as_for_few(name):
    images = torch.empty(N, 3, SIDE, SIDE, dtype=torch.uint8, device="meta")
    operations = []
    for batch, number in ((N // 2, 1), (N // 2, 3), (N, 1)):
        with Counter() as counter:
            crops_of(Batches(N, batch, 0, "test"), images, 0, AUGMENTS[name], number)
        operations.append(counter.operations)
    assert max(operations) - min(operations) <= 2, "the views are split"
