"""Between pixels or averaged: where no box shrinks both ways of resampling are one."""

import pytest
import torch

from infomin.augment import resample as resampling
from infomin.augment.resample import Lines, resample


@pytest.mark.parametrize("start", [(0.0, 2.0, 7.0, 3.0), (0.5, 2.5, 6.5, 3.5)])
@pytest.mark.parametrize("size", [12, 13, 30])
def test_where_no_box_shrinks_one_grid_sample_is_two_products(start, size, monkeypatch):
    """Also for centred boxes, which may begin in the middle of a pixel."""
    images = torch.rand(4, 5, 12, 11, requires_grad=True)
    down = Lines(torch.tensor(start), torch.tensor([11.0, 8.0, 5.0, 2.0]), 12, size)
    across = Lines(torch.tensor(start).flip(0), torch.tensor([2.0, 4.0, 8.0, 7.0]), 11, size)
    flip = torch.tensor([True, False, True, False])
    found = resample(images, down, across, flip)
    (gradient,) = torch.autograd.grad(found.square().sum(), images)
    monkeypatch.setattr(resampling, "_between_pixels", resampling._averaged)
    expected = resample(images, down, across, flip)
    torch.testing.assert_close(found, expected, atol=1e-13, rtol=0)
    (slow,) = torch.autograd.grad(expected.square().sum(), images)
    torch.testing.assert_close(gradient, slow, atol=1e-12, rtol=0)


def test_whole_images_of_the_same_size_stay_bit_for_bit_or_are_flipped():
    images = (4095 * torch.rand(3, 2, 7, 7)).round().float()
    whole = Lines(torch.zeros(3), torch.full((3,), 7.0), 7, 7)
    found = resample(images, whole, whole, torch.tensor([False, True, False]))
    assert torch.equal(found[::2], images[::2]) and torch.equal(found[1], images[1].flip(2))


def test_what_lies_outside_a_box_has_no_part_in_it():
    images = torch.rand(1, 1, 8, 8)
    outside = images.clone()
    outside[:, :, :2], outside[:, :, :, 6:] = 9, 9
    lines = (
        Lines(torch.tensor([2.0]), torch.tensor([6.0]), 8, 20),
        Lines(torch.tensor([1.0]), torch.tensor([5.0]), 8, 20),
    )
    same = torch.tensor([False])
    assert torch.equal(resample(images, *lines, same), resample(outside, *lines, same))


def test_a_box_that_would_shrink_in_one_direction_is_averaged():
    """12 rows into 8: their mean stays, which two neighbours of each would miss."""
    images = torch.zeros(1, 1, 12, 8)
    images[:, :, 4] = 1
    whole = Lines(torch.zeros(1), torch.full((1,), 12.0), 12, 8)
    found = resample(
        images, whole, Lines(torch.zeros(1), torch.full((1,), 8.0), 8, 8), torch.tensor([False])
    )
    torch.testing.assert_close(found.sum(), torch.tensor(8 * 8 / 12), atol=0.3, rtol=0)
    assert ((found > 0).sum((2, 3)) >= 16).all()
