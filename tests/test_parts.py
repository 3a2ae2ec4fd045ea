"""A batch a few samples at a time: what comes out is what all of them at once would give."""

import pytest
import torch

from infomin import parts
from infomin.augment import CropFlip


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


@pytest.mark.parametrize("n", [0, 2, 8])
def test_only_the_chosen_change_each_by_its_own_amount(n, three_at_a_time):
    x, amount = torch.rand(n, 2, 4, 4), torch.arange(n).double()
    which = amount % 2 == 1
    expected = torch.where(which.view(-1, 1, 1, 1), x + amount.view(-1, 1, 1, 1), x)
    parts.change(x, which, lambda part, by: part + by.view(-1, 1, 1, 1), amount)
    assert torch.equal(x, expected)


@pytest.mark.parametrize("source", [torch.uint8, torch.float64])
def test_crops_are_the_same_in_parts(source, monkeypatch):
    images = torch.randint(0, 256, (10, 3, 16, 12)).to(source)
    crop = CropFlip(12, (0.2, 1.0))
    boxes = crop.sample(10, 16, 12, torch.Generator().manual_seed(0))
    whole = crop.apply(images, boxes)
    monkeypatch.setattr(parts, "_TOGETHER", 3 * images[0].numel())
    torch.testing.assert_close(crop.apply(images, boxes), whole, rtol=0, atol=0)
