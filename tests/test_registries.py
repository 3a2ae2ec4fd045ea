"""A view, a method and a backbone of one file each work without a change of any other file."""

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import open_dict
from refusal import refused
from torch import nn

from infomin.cli.main import CONF
from infomin.cli.pretrain import run_pretraining
from infomin.core.files import read_json
from infomin.core.value_range import UNIT
from infomin.methods import METHODS, LossOutput, Method
from infomin.models import BACKBONES
from infomin.models.backbones import Backbone
from infomin.models.pretrained_encoder import load_encoder
from infomin.views import VIEWS
from infomin.views.base import View, register_view

pytestmark = pytest.mark.usefixtures("single")

SMALL = ("data=scenes", "data.train=48", "data.test=24", "budget=smoke", "budget.size=8")
SMALL += ("pretrain.batch=12", "monitor.every=1", "monitor.images=24")


class ShiftedViews(View):
    """An image, and the image moved to the right."""

    def __init__(self, pixels=1, channels=3, value_range=UNIT, crops="shared"):
        super().__init__((channels, channels), crops, value_range, channels)
        self.pixels = pixels

    def to_config(self):
        return {**super().to_config(), "pixels": self.pixels}

    def split(self, x):
        return self.unit(x), self.unit(x).roll(self.pixels, 3)


class Attraction(Method):
    """Draws views together; its scale is trained like the encoders."""

    def __init__(self, encoders, context, weight=1.0):
        super().__init__(encoders, context)
        self.weight, self.scale = weight, nn.Parameter(torch.ones(()))

    def loss(self, z, targets, batch):
        distance = (z[0] - self.scale * z[1]).square().sum(1).mean()
        return LossOutput(self.weight * distance, {"distance": distance.item()})


class PooledConv(Backbone):
    """One convolution and its mean."""

    def __init__(self, in_channels, size=8, width=4):
        stage = nn.Sequential(nn.Conv2d(in_channels, width, 3), nn.ReLU())
        super().__init__(in_channels, [("conv", stage), ("pool", nn.AdaptiveAvgPool2d(1))])


@pytest.fixture(autouse=True)
def restored():
    """Forget afterwards what a test registers."""
    registries = (VIEWS, METHODS, BACKBONES)
    before = [dict(registry) for registry in registries]
    yield
    for registry, known in zip(registries, before, strict=True):
        registry.clear()
        registry.update(known)


@pytest.fixture
def configured(tmp_path):
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield lambda *words: compose("pretrain", [*SMALL, f"out={tmp_path}", "views=raw", *words])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_what_a_file_registers_is_trained_saved_and_loaded(tmp_path, configured):
    register_view("shifted")(ShiftedViews)
    METHODS.register("attraction")(Attraction)
    BACKBONES.register("pooled")(PooledConv)
    cfg = configured("encoder.name=pooled", "+encoder.width=5")
    with open_dict(cfg):
        cfg.views = {"kind": "shifted", "pixels": 2}
        cfg.method, cfg.attraction = "attraction", {"weight": 2.0}
    encoder = run_pretraining(cfg).eval()
    (run,) = (tmp_path / "pretrain").iterdir()
    again, x = load_encoder(run / "encoder"), torch.rand(4, 3, 8, 8)
    assert torch.equal(again(x), encoder(x)) and again(x).shape == (4, 2 * 5)
    assert type(again.views) is ShiftedViews and again.views.pixels == 2
    result = read_json(run / "result.json")
    assert (result["method"], result["views"]) == ("attraction", "shifted")
    assert result["i_nce"] is None and result["top1"] > 0
    assert "distance" in (run / "metrics.jsonl").read_text()
    VIEWS.pop("shifted")
    with refused("/encoder: card and weights do not fit together: views.kind: expected one of"):
        load_encoder(run / "encoder")


def test_a_view_that_is_not_registered_is_refused_before_the_first_step(tmp_path, configured):
    with refused("views: ShiftedViews cannot be saved with an encoder; register the class with"):
        run_pretraining(configured(), views=ShiftedViews())
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("method", "method: expected one of byol, cmc, instdis, moco, predictive, simclr, vicreg,"),
        ("views.kind", "views.kind: expected one of combined, frequency, learned, modalities, pat"),
        ("encoder.name", "encoder.name: expected one of alexnet, fourconv, resnet, strided, got"),
    ],
)
def test_an_unknown_name_lists_the_known_ones(tmp_path, configured, word, message):
    cfg = configured()
    if word == "method":
        cfg.method = "unknown"
    else:
        cfg[word.split(".")[0]][word.split(".")[1]] = "unknown"
    with refused(message):
        run_pretraining(cfg)
    assert [*tmp_path.iterdir()] == []
