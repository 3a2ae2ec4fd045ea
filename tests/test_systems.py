"""Published systems, as configurations of the one pretraining script; each takes real steps."""

import importlib
import json
import math
import signal
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from infomin.methods.objectives import Banked, InBatch, Queued
from omegaconf import OmegaConf
from running import SCRIPTS, Script

from infomin.models import build_encoders
from infomin.models.pretrained_encoder import load_encoder
from infomin.training.distributed import make_fabric

CONF = Path(__file__).parent.parent / "conf"
SYSTEMS = sorted(p.stem for p in (CONF / "system").glob("*.yaml") if p.stem != "none")
DATA = ("data=scenes", "data.train=64", "data.test=32", "budget=smoke", "budget.size=16")
TINY = (*DATA, "+encoder.widths=[4,8]", "+encoder.pools=2", "pretrain.batch=16")
SMALL = {"bank": "memory.negatives=16", "moco": "memory.size=24", "simclr": "pair_weights=null"}


@pytest.fixture
def composed():
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield lambda *told: compose("pretrain", list(told))


def learner(cfg, monkeypatch):
    """Make what the script makes, of a configuration."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    cli, augmenting, viewing, pretraining = (
        importlib.import_module(name) for name in ("cli", "augmenting", "viewing", "pretraining")
    )
    data, settings = cli.build(cfg.data), cli.build(cfg.pretrain)
    fabric = make_fabric("cpu", precision="32-true")
    augment = augmenting.make_augment(cfg, data)
    views, _ = viewing.make_views(cfg, data, fabric)
    encoders = build_encoders(view_channels=views.view_channels, **cli.plain(cfg.encoder))
    return pretraining.make_learner(cfg, views, encoders, data, augment, settings, fabric)


def of(name):
    text = (CONF / "system" / f"{name}.yaml").read_text()
    return next(small for memory, small in SMALL.items() if f"/memory: {memory}" in text)


# objective, graph, encoders, head, temperature, beta, c (the papers; PyContrast, base_options.py)
TABLE = {
    "cmc": (Banked, "full", 2, "linear", 0.07, None, 0.08),
    "infomin": (Queued, "one_way", 1, "mlp", 0.15, 0.5, 0.2),
    "instdis": (Banked, "own", 1, "linear", 0.07, None, 0.08),
    "moco": (Queued, "one_way", 1, "linear", 0.07, None, 0.2),
    "mocov2": (Queued, "one_way", 1, "mlp", 0.2, None, 0.2),
    "pirl": (Banked, "own", 1, "linear", 0.07, 0.5, 0.08),
    "simclr": (InBatch, "full", 1, "mlp", 0.1, None, 0.08),
}


@pytest.mark.usefixtures("single")
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_is_what_was_published_and_takes_steps(composed, monkeypatch, name):
    kind, graph, encoders, head, temperature, beta, c = TABLE[name]
    cfg = composed(f"system={name}", *TINY, of(name))
    assert cfg.augment.scale[0] == c and cfg.pretrain.temperature == temperature
    trained = learner(cfg, monkeypatch)
    assert type(trained.objective) is kind and trained.objective.graph == graph
    assert len(trained.encoders.encoders) == encoders and trained.encoders.encoders[0].kind == head
    assert (trained.jigsaw and trained.jigsaw.beta) == beta
    if kind is Queued:
        assert trained.objective.groups == 8
    if name == "simclr":
        assert trained.cap == math.log(2 * 16 - 1)
    before = [p.clone() for p in trained.parameters]
    steps = iter(trained)
    told = [next(steps) for _ in range(2)]
    assert all(math.isfinite(m["loss"]) and m["i_nce"] <= trained.cap for m in told)
    assert all(("loss_jigsaw" in m) == (beta is not None) for m in told)
    moved = [not torch.equal(a, b) for a, b in zip(before, trained.parameters, strict=True)]
    assert all(moved)


@pytest.mark.parametrize("name", SYSTEMS)
def test_each_of_its_choices_can_be_replaced(composed, name):
    cfg = composed(f"system={name}", "memory=none", "graph=full", "augment=crop", "loss=triplet")
    assert OmegaConf.to_container(cfg.memory) == {"kind": "none"}
    assert cfg.loss.name == "triplet" and cfg.augment.scale == [0.5, 1.0]
    assert ("jigsaw" in cfg) == (name == "pirl") and cfg.system == name
    cfg = composed(f"system={name}", "views=raw", "jigsaw=none", "encoder=alexnet", "encoder.dim=9")
    assert cfg.views.kind == "raw" and "jigsaw" not in cfg and cfg.encoder.width == 1.0
    assert ("shared" in cfg.encoder) == (name != "cmc") and cfg.encoder.dim == 9
    cfg = composed(f"system={name}", "encoders=per_view", "head=linear", "schedule=steps")
    assert not {"shared", "head"} & {*cfg.encoder} and cfg.pretrain.schedule == "steps"
    assert composed(f"system={name}", "pretrain.temperature=1").pretrain.temperature == 1


def test_without_a_system_a_configuration_is_what_it_was_before_there_were_any(composed):
    """Settings that were not there would have every cell of every grid run again."""
    cfg = composed()
    assert not {"system", "jigsaw", "randaugment", "head", "encoders", "schedule"} & {*cfg}
    assert {*cfg.encoder} == {"name", "size", "dim"} and cfg.memory == {"kind": "none"}
    old = {"_target_", "epochs", "batch", "temperature", "warmup", "seed", "chunk"}
    assert {*cfg.pretrain} == old
    assert {*composed("memory=queue").memory} == {"kind", "size", "momentum", "dtype"}


@pytest.mark.parametrize("epochs", [200, 800])
def test_the_recipe_for_imagenet_is_the_published_one(composed, epochs):
    cfg = composed(f"experiment=infomin_imagenet_{epochs}ep", "data.root=PLACE")
    cfg = OmegaConf.to_container(cfg, resolve=True)
    assert cfg["data"]["_target_"].endswith("image_folder") and cfg["data"]["root"] == "PLACE"
    net = {"name": "resnet", "depth": 50, "stem": "imagenet", "size": 224, "dim": 128}
    assert cfg["encoder"] == {**net, "head": "mlp", "shared": True}
    queue = {"kind": "queue", "size": 65536, "momentum": 0.999, "dtype": "float32", "groups": 8}
    assert cfg["memory"] == queue and cfg["graph"] == "one_way"
    numbers = {"epochs": epochs, "batch": 256, "temperature": 0.15, "warmup": 0.0}
    assert numbers.items() <= cfg["pretrain"].items()
    assert cfg["pretrain"]["final"] == 1e-3 and "schedule" not in cfg["pretrain"], "a cosine"
    sgd = {"lr": 0.03, "momentum": 0.9, "weight_decay": 1e-4}
    assert sgd.items() <= cfg["optimizer"].items()
    assert cfg["jigsaw"]["beta"] == 0.5 and cfg["randaugment"]["operations"] == "infomin"
    assert cfg["augment"]["scale"] == [0.2, 1.0] and cfg["augment"]["size"] == 224


@pytest.mark.usefixtures("single")
def test_the_recipe_for_imagenet_takes_steps_on_small_data(composed, monkeypatch):
    small = ("encoder=fourconv", "encoder.size=16", "memory.size=24", "data.size=18")
    trained = learner(composed("experiment=infomin_imagenet_200ep", *TINY, *small), monkeypatch)
    told = [m for m, _ in zip(trained, range(2), strict=False)]
    assert told[0]["rate"] == pytest.approx(0.03) and "loss_jigsaw" in told[1]


@pytest.mark.usefixtures("single")
@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("cosine", [1, (2 + 2**0.5) / 4, 0.5]),
        ("cosine_floor", [1, 0.001 + 0.999 * (2 + 2**0.5) / 4, 0.001 + 0.999 / 2]),
        ("steps", [1, 1, 1, 0.1]),
    ],
)
def test_the_rate_follows_a_schedule(composed, monkeypatch, schedule, rates):
    trained = learner(
        composed(*TINY, "views=raw", "pretrain.warmup=0", f"schedule={schedule}"), monkeypatch
    )
    told = [trained.settings.rate(step, 4) for step in range(len(rates))]
    assert told == pytest.approx(rates)
    next(iter(trained))
    assert trained.optimizer.param_groups[0]["lr"] == pytest.approx(2e-3)


@pytest.mark.slow
def test_the_whole_of_infomin_runs_stops_and_goes_on(tmp_path):
    told = ("system=infomin", *TINY, of("infomin"), "pretrain.epochs=3", "probe.epochs=1")
    told = (*told, "save_every=0")
    whole = Script(tmp_path / "whole", "pretrain", *told)
    assert whole.wait() == 0, whole.err
    stopped = Script(tmp_path / "stopped", "pretrain", *told, signal_at=(5, signal.SIGINT))
    assert stopped.wait() == 130, stopped.err
    resumed = Script(tmp_path / "stopped", "pretrain", *told, "resume=true")
    assert resumed.wait() == 0, resumed.err
    (a,), (b,) = whole.folders, resumed.folders
    weights = [load_encoder(run / "encoder").encoders.state_dict() for run in (a, b)]
    assert all(torch.equal(w, weights[1][name]) for name, w in weights[0].items())
    assert "JigSaw" in whole.err and "linear probe" in whole.out
    card = json.loads((a / "encoder" / "card.json").read_text())
    assert (
        card["architecture"]["encoder"]["shared"] and card["architecture"]["views"]["number"] == 2
    )
