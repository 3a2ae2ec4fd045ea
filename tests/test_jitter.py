"""Hue in closed form is that of HSV; each sample's order of changes is kept either way."""

import colorsys

import pytest
import torch

from infomin.augment.color_jitter import ColorJitter
from infomin.augment.jitter_operations import JITTER, gray, hue, luma
from infomin.core import batching as parts
from infomin.core import rng


def corners():
    """All colours of three levels, black, greys and ties of two channels among them."""
    level = torch.tensor([0.0, 0.3, 1.0])
    return torch.cartesian_prod(level, level, level).T.reshape(1, 3, 3, 9)


@pytest.mark.parametrize("turns", [0.0, 0.05, -0.05, 1 / 6, 0.37, -0.5, 0.5, 0.9, -1.2, 3.0])
@pytest.mark.parametrize("images", [corners(), torch.rand(1, 3, 6, 9)], ids=["corners", "random"])
def test_hue_is_turned_as_in_hsv(images, turns):
    ours = hue(images, torch.tensor([turns])).flatten(2).squeeze(0).T
    for pixel, mine in zip(images.flatten(2).squeeze(0).T.tolist(), ours, strict=True):
        h, s, v = colorsys.rgb_to_hsv(*pixel)
        expected = torch.tensor(colorsys.hsv_to_rgb((h + turns) % 1, s, v))
        torch.testing.assert_close(mine, expected.to(mine), atol=1e-12, rtol=0)


def test_hue_stays_within_0_and_1_in_float32_too():
    images = torch.cat([corners(), torch.rand(1, 3, 3, 9).round(decimals=1)]).float()
    for turns in torch.linspace(-1, 1, 41):
        turned = hue(images, turns.repeat(2).float())
        assert turned.min() >= 0 and turned.max() <= 1
        torch.testing.assert_close(turned.amax(1), images.amax(1), atol=3e-7, rtol=0)
        torch.testing.assert_close(turned.amin(1), images.amin(1), atol=3e-7, rtol=0)


def test_a_third_of_a_turn_moves_channels_and_two_turns_add_up():
    images, third = torch.rand(4, 3, 5, 6), torch.full((4,), 1 / 3)
    torch.testing.assert_close(hue(images, third), images.roll(1, 1))
    torch.testing.assert_close(hue(hue(images, third / 2), third / 2), hue(images, third))


@pytest.mark.parametrize("name", list(JITTER))
def test_changes_return_new_images_and_do_nothing_where_nothing_is_asked(name):
    images = torch.rand(3, 3, 5, 6)
    before = images.clone()
    same = JITTER[name](images, torch.full((3,), 0.0 if name == "hue" else 1.0))
    torch.testing.assert_close(same, images, atol=1e-15, rtol=0)
    JITTER[name](images, torch.tensor([0.1, 0.5, 1.9]))
    assert torch.equal(images, before)


def test_gray_is_saturation_of_nothing():
    images = torch.rand(3, 3, 5, 6)
    torch.testing.assert_close(gray(images), JITTER["saturation"](images, torch.zeros(3)))
    assert torch.equal(luma(gray(images)), luma(gray(images)[:, [1, 2, 0]]))


def test_a_batch_of_nothing_stays_one():
    jitter = ColorJitter(0.8, 0.8, 0.8, 0.2, gray=0.2, blur=0.5)
    changes = jitter.sample(0, rng.generator(0, "test"))
    assert jitter.apply(torch.rand(0, 3, 6, 8), changes).shape == (0, 3, 6, 8)


def test_few_samples_at_a_time_are_all_of_them_at_once(monkeypatch):
    jitter, images = ColorJitter(0.8, 0.8, 0.8, 0.2, jitter=0.9), torch.rand(96, 3, 6, 8)
    changes = jitter.sample(96, rng.generator(0, "test"))
    at_once = jitter.apply(images, changes)
    monkeypatch.setattr(parts, "_TOGETHER", 2 * 3 * 6 * 8)
    assert torch.equal(jitter.apply(images, changes), at_once)
    assert not torch.equal(at_once, images)
