"""The view generator: views, inverse, volume, range, and files."""

import json
import subprocess
import sys

import pytest
import torch
from refusal import refused
from torch import nn

import infomin
from infomin.color import LINEAR_SPACES
from infomin.generator import ViewGenerator, load_generator
from infomin.views import ChannelViews, LearnedViews

PARTITIONS = [
    (2, None),
    (3, [[2], [0, 1]]),
    (5, [[4], [0, 2], [1, 3]]),
]


def learned(channels=3, **options):
    """A generator that has been moved away from the identity."""
    g = ViewGenerator(channels, **options)
    for p in g.parameters():
        nn.init.normal_(p, std=0.2)
    return g


def equal(a, b):
    return all(torch.equal(v, w) for v, w in zip(a, b, strict=True))


@pytest.mark.parametrize(("channels", "groups"), PARTITIONS)
def test_a_fresh_generator_is_exactly_the_raw_split(channels, groups):
    x = torch.rand(2, channels, 5, 4)
    raw = ChannelViews(channels, groups=groups)
    assert equal(ViewGenerator(channels, groups)(x), raw(x))


@pytest.mark.parametrize("color", LINEAR_SPACES)
def test_a_fresh_generator_is_exactly_the_raw_split_of_its_space(color):
    x = torch.rand(2, 3, 5, 4)
    assert equal(ViewGenerator(color=color)(x), ChannelViews(color=color)(x))


@pytest.mark.parametrize(("channels", "groups"), PARTITIONS)
def test_inverse_gives_the_images_back(channels, groups):
    g, x = learned(channels, groups=groups), torch.rand(2, channels, 5, 4)
    torch.testing.assert_close(g.inverse(g(x)), x, atol=1e-10, rtol=0)


def test_log_det_counts_the_colour_space():
    g = ViewGenerator(color="ydbdr", normalize=False)
    assert g.log_abs_det_jacobian(torch.rand(1, 3, 2, 2)).exp().mean().item() == pytest.approx(
        1.68, abs=0.01
    )


def test_another_value_range_gives_the_same_views():
    x = torch.rand(2, 3, 4, 4)
    g, wide = ViewGenerator(color="ydbdr"), ViewGenerator(color="ydbdr", value_range=(-10, 245))
    torch.testing.assert_close(wide.transform(x * 255 - 10), g.transform(x), atol=1e-10, rtol=0)
    torch.testing.assert_close(wide.inverse(wide(x * 255 - 10)), x * 255 - 10, atol=1e-9, rtol=0)


def test_check_finds_what_is_there():
    x = torch.rand(4, 3, 8, 8)
    x[0, 0, 0, 0] = 1.5
    report = ViewGenerator(groups=[[2], [1, 0]], normalize=False).check(x)
    assert report.round_trip_error < 1e-12 and report.log_abs_det == 0
    assert report.share_out_of_range == pytest.approx(1 / x.numel())
    torch.testing.assert_close(torch.tensor(report.channel_mean), x.mean((0, 2, 3)))
    torch.testing.assert_close(torch.tensor(report.channel_max), x.amax((0, 2, 3)))


@pytest.mark.parametrize("value", [-0.2, float("nan")])
def test_a_generator_in_evaluation_mode_holds_images_to_its_range(value):
    g, x = learned(4, value_range=(-1, 3)), torch.rand(2, 4, 5, 5) * 4 - 1
    x[1, 2, 3, 4] = -1 + value * 4
    g(x)
    for call in (g.eval(), g.transform):
        with refused(r"images: this generator takes values within \[-1.0, 3.0\], got .* to .*; sc"):
            call(x)
    assert g.check(x).share_out_of_range == pytest.approx(1 / x.numel(), abs=1e-2)
    x[1, 2, 3, 4] = 3 + 3.9e-4  # interpolation rounds
    assert torch.equal(g(x)[0], g.train()(x)[0])


EXPORT = """
import sys, torch, infomin
g = infomin.load_generator(sys.argv[1])
x, other = (torch.rand(b, 3, h, w) * 4095 for b, h, w in ((2, 8, 8), (3, 5, 9)))
dynamic = {"x": dict.fromkeys((0, 2, 3), torch.export.Dim.DYNAMIC)}
exported = torch.export.export(g, (x,), dynamic_shapes=dynamic).module()
print((exported(other)[1] - g(other)[1]).abs().max().item() < 1e-6)
compiled = torch.compile(g, backend="eager", fullgraph=True)
print((compiled(x)[1] - g(x)[1]).abs().max().item() < 1e-6)
"""


@pytest.mark.slow
def test_holding_images_to_a_range_does_not_hinder_an_export(tmp_path, single):
    """In a process of its own: the shape checks of the tests cannot be exported."""
    folder = learned(value_range=(0, 4095)).save(tmp_path / "g")
    command = [sys.executable, "-c", EXPORT, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.split() == ["True"] * 2, done.stderr


def test_raw_views_start_from_their_range():
    x = torch.rand(2, 3, 4, 4)
    for color in ("ydbdr", "lab"):
        raw, wide = ChannelViews(color=color), ChannelViews(color=color, value_range=(-10, 245))
        for v, expected in zip(wide(x * 255 - 10), raw(x), strict=True):
            torch.testing.assert_close(v, expected, atol=1e-9, rtol=0)
    g = ViewGenerator(5, value_range=(0, 4095))
    raw = ChannelViews(5, value_range=g.value_range)
    x = torch.rand(2, 5, 4, 4) * 4095
    for v, expected in zip(g(x), raw(x), strict=True):
        torch.testing.assert_close(v, expected, atol=1e-12, rtol=0)
    assert LearnedViews(g).value_range == raw.value_range == (0, 4095)


def test_saved_and_loaded_bit_equal(tmp_path, single):
    g = learned(color="ydbdr", groups=[[1], [0, 2]], flow={"kind": "additive", "blocks": 3})
    folder = g.save(tmp_path / "g", {"objective": "semi", "i_nce": {"value": 2.5}})
    again, x = load_generator(folder), torch.rand(2, 3, 8, 8)
    assert equal(g.state_dict().values(), again.state_dict().values())
    assert equal(g.requires_grad_(False)(x), again(x))
    assert not again.training and not any(p.requires_grad for p in again.parameters())
    card = json.loads((folder / "card.json").read_text())
    assert card["training"]["objective"] == "semi"
    assert card["versions"]["torch"] == torch.__version__
    assert sorted(p.name for p in folder.iterdir()) == ["card.json", "model.safetensors"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"groups": [[0], [1]]},
            r"groups: expected a partition of channels 0..2 into two views or",
        ),
        ({"groups": [[0, 1, 2]]}, "into two views or more"),
        ({"groups": [[0], [0, 1, 2]]}, "groups: expected a partition"),
        ({"value_range": (1.0, 1.0)}, r"value_range: expected \(low, high\) with low < high, got"),
        ({"value_range": (0.0, 1e308)}, "value_range: expected low and high that differ in float3"),
        ({"value_range": (1.0, 1 + 1e-12)}, "value_range: expected low and high that differ"),
        ({"channels": 1025}, "channels: expected at most 1024, got 1025"),
        ({"channel_names": ["a", "b"]}, "channel_names: expected 3 names, got 2"),
        ({"channel_names": ["a", "b", "\n"]}, "channel_names: expected names of at most 64 printa"),
        ({"color": "hsv"}, "color: expected one of rgb, .*, got 'hsv', which has no exact linear"),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    with refused(message):
        ViewGenerator(**options)


def test_wrong_images_are_refused():
    g = ViewGenerator()
    with refused(r"takes float images within \[0, 1\] and uint8 ones, got int16; divide"):
        g(torch.zeros(1, 3, 2, 2, dtype=torch.int16))
    with refused(r"takes b c h w with 3 channels \(R, G, B\), got 1 4 2 2"):
        g(torch.rand(1, 4, 2, 2))
    v1, v2 = g(torch.rand(1, 3, 2, 2))
    for wrong in ((v2, v1), (v1,), (v1, v1)):
        with refused("views: expected 2 views, b c h w, of 1, 2 channels"):
            g.inverse(wrong)


def test_views_take_one_crop_or_one_a_view():
    g = learned(6, groups=[[0], [1, 2], [3, 4, 5]])
    crops = [torch.rand(2, 6, 4, 4) for _ in range(3)]
    shared, own = LearnedViews(g, "shared"), LearnedViews(g)
    assert shared.crops == 1 and own.crops == 3 and own.view_channels == (1, 2, 3)
    for i, v in enumerate(own(*crops)):
        assert torch.equal(v, g(crops[i])[i])
    assert equal(shared(crops[0]), g(crops[0]))
    with refused("crops: expected 1 or 3, one per view, got 2"):
        own(*crops[:2])
    with refused("views.crops: expected one of per_view, shared"):
        LearnedViews(g, "both")


def test_importing_infomin_imports_no_torch():
    code = "import sys, infomin; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False"
    assert infomin.ViewGenerator is ViewGenerator
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        infomin.nothing  # noqa: B018


def test_a_frozen_generator_is_the_one_that_learned():
    g, x = learned(flow={"mixing": "invertible", "blocks": 3}), torch.rand(2, 3, 150, 120)
    expected = g.transform(x).detach()
    assert any(p.requires_grad for p in g.parameters())
    with torch.no_grad():
        torch.testing.assert_close(g.transform(x), expected, atol=1e-13, rtol=0)
    x.requires_grad_()
    (through,) = torch.autograd.grad(g.transform(x).sum(), x)
    (frozen,) = torch.autograd.grad(g.requires_grad_(False).transform(x).sum(), x)
    torch.testing.assert_close(frozen, through, atol=1e-12, rtol=0)
