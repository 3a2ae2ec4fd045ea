"""A pretrained encoder is one module, and one folder of data that gives the same features."""

import pytest
import torch
from generators import learned
from refusal import refused

from infomin.augment.color_jitter import ColorJitter
from infomin.core import artifact
from infomin.evaluation import extract
from infomin.models import build_encoders
from infomin.models.pretrained_encoder import PretrainedEncoder, load_encoder
from infomin.views import (
    VIEWS,
    ChannelViews,
    CombinedViews,
    FrequencyViews,
    LearnedViews,
    ModalityViews,
    PatchViews,
    WholeViews,
)
from infomin.views.color_table import ColorTable

pytestmark = pytest.mark.usefixtures("single")

NET = {"name": "fourconv", "size": 8, "dim": 4, "widths": [4, 6], "pools": 1}
MAKE = {
    "raw": lambda: ChannelViews(4, groups=[[0, 3], [1, 2]], value_range=(0, 4095)),
    "whole": lambda: WholeViews(3, "lab", 3, "shared", (-10, 245)),
    "patches": lambda: PatchViews(4, 8, 5, (0, 4095)),
    "frequency": lambda: FrequencyViews(2.0),
    "modalities": lambda: ModalityViews(["normals", "L"], focal=50.0, smooth=1.0),
    "learned": lambda: LearnedViews(learned(color="ydbdr", value_range=(0, 10)), "shared"),
    "combined": lambda: CombinedViews(learned(), 0.5, [1], ColorJitter(brightness=0.4)),
}


def pretrained(views, **options):
    net = {**NET, **options}
    encoders = build_encoders(view_channels=views.view_channels, seed=3, **net)
    return PretrainedEncoder(views, encoders, net).eval()


def images(encoder, n=5):
    low, high = encoder.value_range
    return low + (high - low) * torch.rand(n, encoder.channels, 11, 13)


def test_every_registered_view_is_tested():
    assert MAKE.keys() == VIEWS.keys()


@pytest.mark.parametrize("layer", [None, "conv1"])
def test_forward_returns_what_evaluations_extract(layer):
    encoder = pretrained(MAKE["raw"]())
    x = images(encoder)
    expected = extract(encoder.views, encoder.encoders, x, layer, chunk=2)
    torch.testing.assert_close(encoder(x, layer).detach(), expected)
    assert encoder.layers == ("conv1", "conv2") and expected.std() > 0


def test_8_bit_images_are_those_divided_by_255():
    encoder, x = pretrained(WholeViews()), torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8)
    torch.testing.assert_close(encoder(x), encoder(x / 255))


@pytest.mark.parametrize("kind", MAKE)
def test_a_saved_encoder_is_loaded_with_views_and_features(tmp_path, kind):
    encoder = pretrained(MAKE[kind]())
    again = load_encoder(encoder.save(tmp_path / "encoder", {"top1": 0.5}))
    x, views = images(encoder), again.views
    assert torch.equal(again(x), encoder(x))
    assert type(views) is type(encoder.views) and views.to_config() == encoder.views.to_config()
    for name in ("crops", "value_range", "view_channels", "sources", "channels"):
        assert getattr(views, name) == getattr(encoder.views, name), name
    assert str(views) == str(encoder.views) and again.channel_names == encoder.channel_names
    assert not again.training and not any(p.requires_grad for p in again.parameters())
    assert artifact.read_card(tmp_path / "encoder", "encoder")["training"] == {"top1": 0.5}


@pytest.mark.parametrize(("head", "shared"), [("mlp", True), ("mlp_bn", False), ("expander", True)])
def test_heads_and_sharing_are_saved(tmp_path, head, shared):
    encoder = pretrained(WholeViews(), head=head, shared=shared)
    again = load_encoder(encoder.save(tmp_path / "encoder"))
    views = encoder.views.split(torch.rand(5, 3, 8, 8))
    pairs = zip(encoder.encoders(views), again.encoders(views), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs) and again.encoders.shared == shared


def test_a_table_of_colours_is_not_saved(tmp_path):
    encoder = pretrained(LearnedViews(learned()))
    x = images(encoder)
    expected = encoder(x)
    encoder.views.table = ColorTable(encoder.views.generator, torch.zeros(3))
    again = load_encoder(encoder.save(tmp_path / "encoder"))
    assert again.views.table is None and torch.equal(again(x), expected)


@pytest.mark.parametrize("kind", ["raw", "learned", "combined"])
def test_an_encoder_of_version_0_1_is_loaded(tmp_path, kind):
    """Its weights had other names, and its card knew neither heads nor shared encoders."""
    encoder = pretrained(MAKE[kind]())
    card, weights = artifact.load(encoder.save(tmp_path / "new"), "encoder", lambda *_: None)
    assert not {"head", "shared"} & card["architecture"]["encoder"].keys()
    prefixes = {"encoders.encoders.": "towers.towers.", "views.generator.": "generator."}
    old = {}
    for name, weight in weights.items():
        (prefix,) = (p for p in prefixes if name.startswith(p))
        old[prefixes[prefix] + name.removeprefix(prefix)] = weight
    folder = artifact.save(tmp_path / "old", "encoder", card["architecture"], old, {})
    x = images(encoder)
    assert torch.equal(load_encoder(folder)(x), encoder(x))


@pytest.mark.parametrize("argument", ["table", "photometric"])
def test_a_card_holds_nothing_but_the_configuration_of_its_views(tmp_path, argument):
    """As a stranger could make it: these arguments exist, but no card has them."""
    encoder = pretrained(CombinedViews(learned()))
    card, weights = artifact.load(encoder.save(tmp_path / "good"), "encoder", lambda *_: None)
    card["architecture"]["views"][argument] = True
    folder = artifact.save(tmp_path / "bad", "encoder", card["architecture"], weights, {})
    with refused(f"do not fit together: views: .*{argument}"):
        load_encoder(folder)


@pytest.mark.parametrize("name", ["other.weight", "views.weight", "towers.towers.0.head.bias"])
def test_weights_that_no_module_takes_are_refused_before_they_are_read(tmp_path, name):
    encoder = pretrained(WholeViews())
    card, weights = artifact.load(encoder.save(tmp_path / "good"), "encoder", lambda *_: None)
    weights[name] = torch.zeros(3)
    folder = artifact.save(tmp_path / "bad", "encoder", card["architecture"], weights, {})
    with refused("weights of other names or shapes|two weights of the name"):
        load_encoder(folder)


def test_some_views_can_be_left_out(tmp_path):
    encoder = pretrained(ChannelViews(color="ydbdr", groups=[[0], [1], [2]]))
    x = images(encoder)
    each = encoder(x).chunk(3, dim=1)
    assert encoder.only(None) is encoder
    for views in ([0], [2, 1], [0, 1, 2]):
        some = encoder.only(views)
        assert torch.equal(some(x), torch.cat([each[i] for i in views], 1))
    assert str(encoder.only([2, 1]).views) == "raw-ydbdr-view-3+2"
    for wrong in ([], [3], [0, 0], [-1]):
        with refused("only_views: expected some of 0, 1, 2, each once"):
            encoder.only(wrong)
    with refused("views: ChosenViews cannot be saved with an encoder; register the class"):
        some.save(tmp_path / "encoder")


def test_wrong_input_is_refused():
    encoder = pretrained(WholeViews())
    with refused("images: expected b c h w with 3 channels, got 2 4 8 8"):
        encoder(torch.rand(2, 4, 8, 8))
    with refused("tap: expected one of conv1, conv2, got 'fc'"):
        encoder(torch.rand(2, 3, 8, 8), "fc")
