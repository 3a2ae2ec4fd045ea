"""Backbones, encoders and the decoder: layers, shapes, seeds, and what is refused."""

import pytest
import torch
from refusal import refused

from infomin.models import BACKBONES, Decoder, build_encoders

pytestmark = pytest.mark.usefixtures("single")

NETS = [
    ("fourconv", {"size": 16}, ("conv1", "conv2", "conv3", "conv4")),
    (
        "alexnet",
        {"size": 16, "width": 0.125},
        ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"),
    ),
    pytest.param(
        "resnet",
        {"size": 16},
        ("stem", "layer1", "layer2", "layer3", "layer4", "pool"),
        marks=pytest.mark.slow,
    ),
    ("strided", {"size": 16}, ("conv1", "conv2", "conv3", "conv4", "pool")),
]


@pytest.mark.parametrize(("name", "options", "taps"), NETS)
def test_encoders_take_any_channels_and_every_tap_is_read(name, options, taps):
    encoders = build_encoders(name, (1, 2), dim=16, **options)
    views = [torch.rand(4, c, 16, 16) for c in (1, 2)]
    assert len(encoders) == 2 and encoders.taps == taps
    for embedding in encoders(views):
        assert embedding.shape == (4, 16)
        torch.testing.assert_close(embedding.norm(dim=1), torch.ones(4))
    backbone = encoders.eval().backbones[0]
    chosen = [taps[2], taps[0], taps[2], taps[-1]]  # in any order, and twice
    with torch.no_grad():
        assert torch.equal(encoders.features(views), encoders.features(views, taps[-1]))
        first, both = backbone.maps(views[0], chosen), encoders.maps(views, chosen)
        for tap, one, two in zip(chosen, first, both, strict=True):
            assert torch.equal(one.flatten(1), backbone(views[0], tap))
            assert torch.equal(one, two[:, : two.shape[1] // 2])
            features = encoders.features(views, tap)
            assert features.shape == (4, two.flatten(1).shape[1])
        dense = backbone.dense_taps
        assert dense == tuple(tap for tap in taps if not tap.startswith("fc"))
        wide = encoders.maps([torch.rand(2, c, 24, 40) for c in (1, 2)], dense)
    assert all(m.dim() == 4 and m.shape[3] >= m.shape[2] for m in wide)
    for read in (encoders.maps, encoders.features):
        with refused("tap: expected one of"):
            read(views, ["x"] if read == encoders.maps else "x")


@pytest.mark.parametrize(
    ("name", "channels", "widths", "kernel"),
    [("alexnet", 1, [96, 192, 384, 384, 192], 3), ("strided", 3, [8, 16, 32, 64], 5)],
)
def test_nets_are_the_papers(name, channels, widths, kernel):
    backbone = BACKBONES[name](channels, size=64).eval()
    convolutions = [m for m in backbone.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == widths
    assert all(
        c.kernel_size == (kernel,) * 2 and c.padding == (kernel // 2,) * 2 for c in convolutions
    )
    x = torch.rand(2, channels, 64, 64)
    with torch.no_grad():
        if name == "alexnet":
            assert backbone(x, "conv5").shape[1] == 192 * 7 * 7
            assert backbone(x, "fc6").shape == backbone(x, "fc7").shape == (2, 4096)
        else:
            mean = backbone(x, "conv4").unflatten(1, (64, 16)).mean(2)
            torch.testing.assert_close(backbone(x), mean)


def test_encoders_are_seeded_and_differ():
    one, same, other = (build_encoders("fourconv", (1, 1), 16, seed=s) for s in (0, 0, 1))
    weights = [next(t.parameters()) for t in (one, same, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    first, second = (next(b.parameters()) for b in one.backbones)
    assert not torch.equal(first, second)


def test_classifiers_give_logits():
    classifiers = build_encoders("fourconv", (1, 2), 16, dim=10, normalize=False)
    logits = classifiers([torch.rand(3, c, 16, 16) for c in (1, 2)])
    assert [o.shape for o in logits] == [(3, 10), (3, 10)]
    assert (logits[0].norm(dim=1) - 1).abs().min() > 1e-3


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("vit", (1,), 32), {}, "encoder.name: expected one of alexnet, fourconv, resnet, strided"),
        (("fourconv", (1,), 4), {}, "size: FourConv needs images of at least 8 pixels, got 4"),
        (("fourconv", (1,), 32), {"widths": [4, 4]}, "encoder.pools: expected 0 to 2, got 3"),
        (("strided", (3,), 64), {"kernel": 4}, "encoder.kernel: expected an odd number .* got 4"),
        (("strided", (3,), 64), {"widths": []}, "encoder.widths: expected the width of one"),
        (("resnet", (1,), 32), {"depth": 34}, "encoder.depth: expected 18 or 50, got 34"),
        (("resnet", (1,), 32), {"stem": "large"}, "encoder.stem: expected one of small, imagenet"),
        (
            ("fourconv", (1, 2), 16),
            {"shared": True},
            "encoder.shared: expected views of the same number of channels, got 1, 2; set "
            "encoders=per_view graph=full, or views=whole",
        ),
        (
            ("fourconv", (3, 3), 16),
            {"head": "cosine"},
            "encoder.head: expected one of linear, mlp, mlp_bn, expander, got 'cosine'",
        ),
    ],
)
def test_wrong_arguments_are_refused(arguments, options, message):
    with refused(message):
        build_encoders(*arguments, **options)


def test_a_decoder_reads_the_maps_that_it_is_given_and_no_others():
    sizes, widths = [(9, 7), (5, 4), (2, 2)], [3, 4, 5]
    alone, all_three = Decoder([0, 0, 6], widths, 2), Decoder([2, 4, 6], widths, 2)
    maps = [torch.randn(2, c, *size) for c, size in zip((2, 4, 6), sizes, strict=True)]
    assert alone(maps[2:], sizes).shape == all_three(maps, sizes).shape == (2, 2, 9, 7)
    mixed = Decoder([2, 0, 6], widths, 2)
    assert mixed([maps[0], maps[2]], sizes).shape == (2, 2, 9, 7)
    assert [layer[0].in_channels for layer in mixed.layers] == [2 + 4, 5, 6]
