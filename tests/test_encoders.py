"""Backbones and encoders: layers, shapes, seeds, and what is refused."""

import pytest
import torch

from infomin.core.errors import InputError
from infomin.models import BACKBONES, build_encoders

NETS = [
    ("fourconv", {"size": 16}, ("conv1", "conv2", "conv3", "conv4")),
    (
        "alexnet",
        {"size": 32, "width": 0.125},
        ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"),
    ),
    ("resnet", {"size": 16}, ("stem", "layer1", "layer2", "layer3", "layer4", "pool")),
    ("strided", {"size": 16}, ("conv1", "conv2", "conv3", "conv4", "pool")),
]


@pytest.mark.parametrize(("name", "options", "taps"), NETS)
def test_encoders_take_any_channels_and_give_unit_embeddings(single, name, options, taps):
    encoders = build_encoders(name, (1, 2, 5), dim=16, **options)
    views = [torch.rand(4, c, options["size"], options["size"]) for c in (1, 2, 5)]
    z = encoders(views)
    assert len(encoders) == 3 and encoders.taps == taps
    for embedding in z:
        assert embedding.shape == (4, 16)
        torch.testing.assert_close(embedding.norm(dim=1), torch.ones(4))


@pytest.mark.parametrize(("name", "options", "taps"), NETS)
def test_every_tap_gives_flat_features_of_all_encoders(single, name, options, taps):
    encoders = build_encoders(name, (1, 2), dim=16, **options).eval()
    views = [torch.rand(2, c, options["size"], options["size"]) for c in (1, 2)]
    with torch.no_grad():
        widths = {tap: encoders.features(views, tap).shape for tap in taps}
        assert all(len(shape) == 2 and shape[0] == 2 for shape in widths.values())
        assert torch.equal(encoders.features(views), encoders.features(views, taps[-1]))


@pytest.mark.parametrize(("name", "options", "taps"), NETS)
def test_maps_are_the_features_before_they_are_flattened(single, name, options, taps):
    encoders = build_encoders(name, (1, 2), dim=16, **options).eval()
    views = [torch.rand(2, c, options["size"], options["size"]) for c in (1, 2)]
    chosen = [taps[2], taps[0], taps[2], taps[-1]]  # in any order, and twice
    with torch.no_grad():
        first = encoders.backbones[0].maps(views[0], chosen)
        for tap, features in zip(chosen, first, strict=True):
            assert torch.equal(features.flatten(1), encoders.backbones[0](views[0], tap))
        for tap, both in zip(chosen, encoders.maps(views, chosen), strict=True):
            wide = both.flatten(1).shape[1]
            assert wide == encoders.features(views, tap).shape[1]
            assert torch.equal(both[:, : both.shape[1] // 2], first[chosen.index(tap)])
    assert taps[: len(encoders.backbones[0].dense_taps)] == encoders.backbones[0].dense_taps
    assert all(not tap.startswith("fc") for tap in encoders.backbones[0].dense_taps)
    wide = [torch.rand(2, c, 24, 40) for c in (1, 2)]
    dense = encoders.maps(wide, encoders.backbones[0].dense_taps)
    assert all(m.dim() == 4 and m.shape[3] >= m.shape[2] for m in dense)
    with pytest.raises(InputError, match="tap: expected one of"):
        encoders.maps(views, ["x"])


def test_the_small_alexnet_is_the_papers(single):
    backbone = BACKBONES["alexnet"](1, size=64)
    convolutions = [m for m in backbone.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == [96, 192, 384, 384, 192]
    assert all(c.kernel_size == (3, 3) and c.padding == (1, 1) for c in convolutions)
    with torch.no_grad():
        backbone.eval()
        x = torch.zeros(1, 1, 64, 64)
        assert backbone(x, "conv5").shape[1] == 192 * 7 * 7
        assert backbone(x, "fc6").shape == backbone(x, "fc7").shape == (1, 4096)


def test_the_strided_net_is_the_papers(single):
    backbone = BACKBONES["strided"](3, size=64)
    convolutions = [m for m in backbone.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == [8, 16, 32, 64]
    with torch.no_grad():
        x = torch.rand(2, 3, 64, 64)
        assert backbone.eval()(x).shape == (2, 64)
        torch.testing.assert_close(backbone(x), backbone(x, "conv4").unflatten(1, (64, 16)).mean(2))


def test_encoders_are_seeded_and_differ(single):
    one, same, other = (build_encoders("fourconv", (1, 1), 16, seed=s) for s in (0, 0, 1))
    weights = [next(t.parameters()) for t in (one, same, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    first, second = (next(b.parameters()) for b in one.backbones)
    assert not torch.equal(first, second)


def test_classifiers_give_logits(single):
    logits = build_encoders("fourconv", (1, 2), 16, dim=10, normalize=False)(
        [torch.rand(3, c, 16, 16) for c in (1, 2)]
    )
    assert [o.shape for o in logits] == [(3, 10), (3, 10)]
    assert (logits[0].norm(dim=1) - 1).abs().min() > 1e-3


def test_wrong_arguments_are_told():
    with pytest.raises(
        InputError, match="encoder.name: expected one of alexnet, fourconv, resnet, strided"
    ):
        build_encoders("vit", (1, 2), 32)
    with pytest.raises(InputError, match="size: FourConv needs images of at least 8 pixels, got 4"):
        build_encoders("fourconv", (1, 2), 4)
    with pytest.raises(InputError, match="encoder.pools: expected 0 to 2, got 3"):
        build_encoders("fourconv", (1, 2), 32, widths=[4, 4])
    with pytest.raises(InputError, match="encoder.kernel: expected an odd number of pixels, got 4"):
        build_encoders("strided", (3,), 64, kernel=4)
    with pytest.raises(InputError, match="size: StridedConv needs images of at least 16 pixels"):
        build_encoders("strided", (3,), 8)
    with pytest.raises(InputError, match="encoder.depth: expected 18 or 50, got 34"):
        build_encoders("resnet", (1, 2), 32, depth=34)
    with pytest.raises(InputError, match="tap: expected one of conv1"):
        build_encoders("fourconv", (1, 2), 16).features(
            [torch.rand(1, c, 16, 16) for c in (1, 2)], "x"
        )
