"""A batch a few samples at a time: what comes out is what all of them at once would give."""

from dataclasses import dataclass

import pytest
import torch

from infomin.augment import CropFlip, NoParams
from infomin.core import batching as parts


@pytest.fixture
def three_at_a_time(monkeypatch):
    monkeypatch.setattr(parts, "_TOGETHER", 3 * 2 * 4 * 4)


@pytest.mark.parametrize("n", [0, 1, 3, 4, 9, 11])
def test_assembled_batches_are_whole_ones(n, three_at_a_time):
    x, seen = torch.rand(n, 2, 4, 4), []

    def halve(part, which):
        seen.append(which)
        assert torch.equal(part, x[which])
        return part[:, :1, ::2] * 0.5

    assert torch.equal(parts.assemble(x, halve), x[:, :1, ::2] * 0.5)
    assert [i for which in seen for i in range(n)[which]] == list(range(n))
    assert all(len(range(n)[which]) <= 3 for which in seen)


def test_gradients_pass_through_parts(three_at_a_time):
    x = torch.rand(7, 2, 4, 4, requires_grad=True)
    parts.assemble(x, lambda part, which: part**2).sum().backward()
    torch.testing.assert_close(x.grad, 2 * x.detach())


@pytest.mark.parametrize("n", [0, 2, 8, 23])
def test_samples_change_place_by_place_each_by_its_own_operation_and_amount(n, three_at_a_time):
    each = [
        lambda part, by: part + by.view(-1, 1, 1, 1),
        lambda part, by: part * by.view(-1, 1, 1, 1),
        lambda part, by: part.flip(3),
    ]
    x, amount = torch.rand(n, 2, 4, 4), torch.rand(n, 2)
    drawn = torch.randint(-1, 3, (n, 2))
    expected = x.clone()
    for i in range(n):
        for place in range(2):
            if drawn[i, place] >= 0:
                operation, one = each[drawn[i, place]], expected[i : i + 1]
                expected[i : i + 1] = operation(one, amount[i, place])
    parts.change(x, drawn, each, amount)
    assert torch.equal(x, expected)


def test_what_was_drawn_for_several_batches_is_joined():
    @dataclass(frozen=True)
    class Inner:
        a: torch.Tensor

    @dataclass(frozen=True)
    class Outer:
        inner: Inner
        b: torch.Tensor

    first, second = (Outer(Inner(torch.rand(n)), torch.rand(n, 2)) for n in (3, 5))
    joined = parts.join([first, second])
    assert torch.equal(joined.inner.a, torch.cat([first.inner.a, second.inner.a]))
    assert torch.equal(joined.b, torch.cat([first.b, second.b]))
    assert parts.join([NoParams(), NoParams()]) == NoParams()


@pytest.mark.parametrize("source", [torch.uint8, torch.float64])
def test_crops_are_the_same_in_parts(source, monkeypatch):
    images = torch.randint(0, 256, (10, 3, 16, 12)).to(source)
    crop = CropFlip(12, (0.2, 1.0))
    boxes = crop.sample(10, 16, 12, torch.Generator().manual_seed(0))
    whole = crop.apply(images, boxes)
    monkeypatch.setattr(parts, "_TOGETHER", 3 * images[0].numel())
    torch.testing.assert_close(crop.apply(images, boxes), whole, rtol=0, atol=0)
