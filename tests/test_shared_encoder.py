"""One encoder for all views, and heads."""

import pytest
import torch
from refusal import refused
from torch import nn

from infomin.losses import infonce, pair_scores
from infomin.models import BACKBONES, build_encoders, build_head
from infomin.views import FrequencyViews, PatchViews, WholeViews

NET = {"name": "fourconv", "size": 16, "dim": 6, "widths": [4, 8], "pools": 2}


def images(n=5):
    return torch.rand(n, 3, 16, 16)


def test_a_shared_encoder_is_one_set_of_weights_for_all_views():
    shared, apart = (build_encoders(view_channels=(3, 3), shared=s, **NET) for s in (True, False))
    assert len(shared) == len(apart) == 2 and shared.width == 6
    one, two = (sum(p.numel() for p in encoders.parameters()) for encoders in (shared, apart))
    assert two == 2 * one and len(shared.state_dict()) == len(apart.state_dict()) / 2
    v = images()
    shared.eval()
    z1, z2 = shared((v, v))
    assert torch.equal(z1, z2)
    assert torch.equal(z1, apart.eval()((v, v))[0]), "view 1 starts as it does alone"


def test_its_gradient_is_the_sum_over_both_views():
    shared = build_encoders(view_channels=(3, 3), shared=True, **NET)
    apart = build_encoders(view_channels=(3, 3), **NET)
    for encoder in apart.encoders:
        encoder.load_state_dict(shared.encoders[0].state_dict())
    views = images(), images()
    for encoders in (shared, apart):
        infonce(*pair_scores(encoders(views), 0.2)).backward()
    each = zip(*(encoder.parameters() for encoder in apart.encoders), strict=True)
    for p, (first, second) in zip(shared.parameters(), each, strict=True):
        torch.testing.assert_close(p.grad, first.grad + second.grad, atol=1e-12, rtol=0)


def test_features_of_one_image_are_there_once():
    encoders = build_encoders(view_channels=(3, 3), shared=True, **NET).eval()
    x = images()
    for views in (WholeViews(), PatchViews(patch=16, distance=0)):
        features = encoders.features(views.split(x))
        assert torch.equal(features, encoders.backbones[0](views.split(x)[0]).float())
        maps = encoders.maps(views.split(x), ["conv1", "conv2"])
        assert [m.shape[1] for m in maps] == [4, 8]
    different = FrequencyViews().split(x)
    both = torch.cat([encoders.backbones[0](v).float() for v in different], 1)
    assert torch.equal(encoders.features(different), both)
    apart = build_encoders(view_channels=(3, 3), **NET).eval()
    assert apart.features(WholeViews().split(x)).shape[1] == 2 * features.shape[1]
    with refused("views: expected 2, got 1"):
        encoders.features((x,))


def test_missing_views_have_zero_features():
    encoders = build_encoders(view_channels=(3, 3, 3), shared=True, **NET).eval()
    x, other = images(), images()
    mask = torch.tensor([[1, 1, 0]] * 2 + [[1, 1, 1]] * 3).bool()
    whole = encoders.features((x, x, other), view_mask=mask)
    alone = encoders.backbones[0](x).float()
    assert torch.equal(whole[:, : alone.shape[1]], alone) and whole.shape[1] == 2 * alone.shape[1]
    assert not whole[:2, alone.shape[1] :].any() and whole[2:, alone.shape[1] :].any()


def test_some_views_of_a_shared_encoder():
    encoders = build_encoders(view_channels=(3, 3), shared=True, **NET).eval()
    only = encoders.only([1])
    assert len(only) == 1 and only.encoders[0] is encoders.encoders[0]
    assert only((images(),))[0].shape == (5, 6)


@pytest.mark.parametrize(
    ("name", "widths"), [("linear", []), ("mlp", [12]), ("mlp_bn", [24]), ("expander", [4, 4])]
)
def test_heads_are_layers_with_relu_and_with_batch_normalisation_instead_of_a_bias(name, widths):
    head, x = build_head(name, 12, 4), torch.randn(3, 12)
    layers = [m for m in head.modules() if isinstance(m, nn.Linear)]
    assert [m.out_features for m in layers] == [*widths, 4]
    out = head(x)
    for layer in layers[:-1]:
        x = x @ layer.weight.T
        if layer.bias is None:
            x = (x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt()
        else:
            x = x + layer.bias
        x = x.clamp(min=0)
    torch.testing.assert_close(out, layers[-1](x))
    assert [layer.bias is None for layer in layers[:-1]] == [name in ("mlp_bn", "expander")] * len(
        widths
    )


def test_the_head_of_a_resnet_50_is_the_papers(single):
    with torch.device("meta"):
        encoders = build_encoders("resnet", (3, 3), 224, 128, head="mlp", shared=True, depth=50)
    layers = [m for m in encoders.encoders[0].head if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in layers] == [(2048, 2048), (2048, 128)]


def test_the_stem_for_imagenet_is_torchvisions(single):
    from torchvision.models import resnet18

    theirs, ours = resnet18().eval(), BACKBONES["resnet"](3, stem="imagenet").eval()
    ours.stages["stem"][0].load_state_dict(theirs.conv1.state_dict())
    for i in (1, 2, 3, 4):
        ours.stages[f"layer{i}"].load_state_dict(getattr(theirs, f"layer{i}").state_dict())
    theirs.fc = nn.Identity()
    x = torch.randn(2, 3, 64, 64)
    ours.standardize = nn.Identity()
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=1e-5)
