"""Views of whole images, and learned views combined with raw channels and photometric changes."""

from dataclasses import replace

import pytest
import torch
from batched import crops_of
from refusal import refused
from torch import nn

from infomin import ViewGenerator
from infomin.augment import CropFlip, Pipeline, RandAugment
from infomin.augment.color_jitter import ColorJitter
from infomin.core import rng
from infomin.data import Batches
from infomin.views import ChannelViews, CombinedViews, LearnedViews, WholeViews
from infomin.views.color_table import COLORS, ColorTable

JITTER = ColorJitter(brightness=0.4, contrast=0.4, jitter=0.8, blur=0.5)


def learned(channels=3, **options):
    g = ViewGenerator(channels, flow={"hidden": 8}, **options)
    for p in g.parameters():
        nn.init.normal_(p, std=0.3)
    return g.requires_grad_(False)


def crops(g, n=12):
    return [torch.rand(n, g.channels, 8, 8) for _ in g.groups]


def draw(views, n=12, seed=0):
    return views.sample(n, rng.generator(seed, "combine", 7))


def equal(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


GENERATORS = [
    {"color": "ydbdr"},
    {"channels": 5, "groups": [[4, 0], [1], [2, 3]]},
]


@pytest.mark.parametrize("options", GENERATORS)
def test_without_g_views_are_the_raw_split_and_with_it_the_learned_one(options):
    g = learned(**options)
    x = crops(g)
    raw = ChannelViews(g.channels, g.color, g.groups)
    never, always = CombinedViews(g, p=0), CombinedViews(g, p=1)
    assert equal(never(*x, params=draw(never)), raw(*x))
    assert equal(always(*x, params=draw(always)), LearnedViews(g)(*x))
    assert not equal(raw(*x), LearnedViews(g)(*x))
    shared = CombinedViews(g, p=0, crops="shared")
    assert shared.crops == 1 and equal(shared(x[0], params=draw(shared)), raw.split(x[0]))


def test_a_share_of_the_samples_has_g_in_all_views_and_the_others_in_none():
    g = learned(5, groups=[[4, 0], [1], [2, 3]])
    x, views = crops(g, 200), CombinedViews(g, p=0.3)
    made, of_g, raw = (v(*x, **k) for v, k in ((views, {"params": draw(views, 200)}), *two(g)))
    took = [(m == y).flatten(1).all(1) for m, y in zip(made, of_g, strict=True)]
    left = [(m == y).flatten(1).all(1) for m, y in zip(made, raw, strict=True)]
    assert equal(took, took[:1] * 3) and equal(left, [~took[0]] * 3)
    assert abs(took[0].double().mean() - 0.3) < 0.15


def two(g):
    return (LearnedViews(g), {}), (ChannelViews(g.channels, g.color, g.groups), {})


def test_views_that_are_not_chosen_stay_raw_in_training_and_evaluation():
    g = learned()
    x, views = crops(g), CombinedViews(g, chosen=[0])
    expected = (LearnedViews(g)(*x)[0], ChannelViews(3)(*x)[1])
    assert equal(views(*x, params=draw(views)), expected) and equal(views(*x), expected)
    assert equal(views.split(x[0]), (g(x[0])[0], ChannelViews(3).split(x[0])[1]))


def test_evaluation_takes_g_and_changes_no_colours():
    g = learned()
    x, views = crops(g), CombinedViews(g, 0.5, photometric=JITTER)
    assert equal(views(*x), LearnedViews(g)(*x)) and equal(views.split(x[0]), g(x[0]))


def test_colours_changed_before_g_and_after_it_differ_only_as_told():
    """After: g of changed crops. Before: changed views, each by a draw of its own."""
    g, size = learned(), 8
    images = torch.randint(0, 256, (20, 3, 12, 12), dtype=torch.uint8)
    batches, crop = Batches(20, 12, 0, "t"), CropFlip(size)
    cut, _ = crops_of(batches, images, 3, crop, 2)
    changed, _ = crops_of(batches, images, 3, Pipeline(crop, JITTER), 2)
    after, before = LearnedViews(g), CombinedViews(g, photometric=JITTER)
    params = draw(before)
    assert equal(after(*changed), [g(x)[i] for i, x in enumerate(changed)])
    expected = [JITTER.apply_to_view(v, params.color_jitter[i]) for i, v in enumerate(after(*cut))]
    assert equal(before(*cut, params=params), expected)
    assert not equal(changed, cut) and not torch.equal(*(c.brightness for c in params.color_jitter))


def test_motions_after_g_are_those_of_randaugment_and_each_view_has_its_own():
    g = learned()
    moved = RandAugment("cmc", n=2, p=0.9)
    x, views = crops(g), CombinedViews(g, randaugment=moved)
    params = draw(views)
    assert equal(views(*x), LearnedViews(g)(*x)), "evaluation moves nothing"
    assert not torch.equal(*(plan.level for plan in params.randaugment))
    assert views.randaugment.pixel_operations == ["autocontrast", "sharpness"]
    for i, (ours, crop) in enumerate(zip(views(*x, params=params), x, strict=True)):
        view, plan = g(crop)[i], params.randaugment[i]
        # motions, and fills, of a view are those of an image that has its values within [0, 1]
        alone = RandAugment(moved.operations, n=2, p=0.9, fill=0.5)
        still = torch.tensor([name in alone.pixel_operations for name in alone.operations])
        plan = replace(plan, happens=plan.happens & ~still[plan.operation])
        scale = 2 * view.abs().max()
        expected = (alone.apply(view / scale + 0.5, plan) - 0.5) * scale
        torch.testing.assert_close(ours, expected, atol=1e-6, rtol=0)
        assert not torch.equal(ours, view)


def test_draws_are_a_function_of_the_stream_and_a_part_gets_its_own():
    g = learned()
    x, views = crops(g), CombinedViews(g, 0.5, photometric=JITTER, randaugment=RandAugment("cmc"))
    whole = views(*x, params=draw(views))
    assert equal(views(*x, params=draw(views)), whole)
    assert not equal(views(*x, params=draw(views, seed=1)), whole)
    part = slice(4, 8)
    ours = views(*(y[part] for y in x), params=draw(views)[part])
    for a, b in zip(ours, whole, strict=True):
        torch.testing.assert_close(a, b[part])


def test_the_table_makes_the_learned_part(single):
    g = learned(color="ydbdr")
    x = [torch.zeros(12, 3, 8, 8)] * 2
    colors = torch.zeros(3 * COLORS)  # all but that of black
    for channel, of_black in zip(
        (0, COLORS, COLORS + 1), g.transform(x[0]).mean((0, 2, 3)), strict=True
    ):
        colors[channel] = of_black
    views, table = (CombinedViews(g, 0.5, [1], table=t) for t in (None, ColorTable(g, colors)))
    for a, b in zip(table(*x, params=draw(table)), views(*x, params=draw(views)), strict=True):
        torch.testing.assert_close(a, b)


def test_whole_views_have_all_channels_of_their_own_crop():
    x, y = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8)
    views = WholeViews(color="ydbdr")
    expected = [torch.cat(ChannelViews(color="ydbdr").split(v), 1) for v in (x, y)]
    assert views.view_channels == (3, 3) and views.channels == 3 and views.crops == 2
    assert equal(views(x, y), expected) and equal(views.split(x), expected[:1] * 2)
    assert WholeViews(5, number=4, crops="shared").view_channels == (5,) * 4


@pytest.mark.parametrize("chosen", [[2], [], "some"])
def test_views_that_g_does_not_have_are_refused(chosen):
    with refused(r"views.combine.views: expected all, or some of \[0, 1\], got "):
        CombinedViews(learned(), chosen=chosen)


def test_wrong_arguments_are_refused():
    with refused("views.combine.p: expected a probability, got 1.5"):
        CombinedViews(learned(), 1.5)
    with refused("views.number: expected at least 2, got 1"):
        WholeViews(number=1)
    with refused("color: lab needs 3 channels, got 4"):
        WholeViews(4, "lab")


def test_only_red_green_and_blue_are_called_rgb():
    three, six = ViewGenerator(), ViewGenerator(6)
    infrared = ViewGenerator(channel_names=("NIR", "R", "G"))
    names = [LearnedViews(three), LearnedViews(six), LearnedViews(infrared), CombinedViews(six)]
    names += [ChannelViews(), ChannelViews(6), ChannelViews(color="ydbdr"), WholeViews(6)]
    assert [*map(str, names)] == [
        *("learned-rgb", "learned-channels", "learned-channels", "combined-channels"),
        *("raw-rgb", "raw-channels", "raw-ydbdr", "whole-channels"),
    ]
