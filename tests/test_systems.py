"""Published systems, as configurations of the one pretraining script; each takes real steps."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf
from refusal import refused

from infomin.cli.build import build_pretraining, plan_pretraining
from infomin.cli.main import instantiate
from infomin.data import UniformBatches
from infomin.methods import METHODS
from infomin.methods.contrastive import SoftmaxLoss
from infomin.methods.pirl import PIRL
from infomin.training.distributed import make_fabric

CONF = Path(__file__).parent.parent / "conf"
SYSTEMS = sorted(p.stem for p in (CONF / "system").glob("*.yaml") if p.stem != "none")
TINY = ("data=scenes", "data.train=64", "data.test=32", "budget=smoke", "budget.size=16")
TINY = (*TINY, "+encoder.widths=[4,8]", "+encoder.pools=2", "pretrain.batch=16")
SMALL = {"bank": "memory.negatives=16", "moco": "memory.size=24", "simclr": "pair_weights=null"}


@pytest.fixture
def composed():
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield lambda *words: compose("pretrain", list(words))


def trainer(cfg, data=None):
    """The trainer that the command builds from a configuration."""
    plan = plan_pretraining(cfg)
    fabric = make_fabric("cpu", precision="32-true")
    return build_pretraining(cfg, plan, data or instantiate(cfg.data), fabric).trainer


def of(name):
    text = (CONF / "system" / f"{name}.yaml").read_text()
    return next(small for memory, small in SMALL.items() if f"/memory: {memory}" in text)


# The options of each system in its code: colours, JigSaw, memory, augmentation, head, temperature
# (PyContrast, options/base_options.py, override_dict; google-research/simclr, run.py)
PUBLISHED = {
    "instdis": ("RGB", False, "bank", "A", "linear", 0.07),
    "cmc": ("CMC", False, "bank", "C", "linear", 0.07),
    "moco": ("RGB", False, "moco", "A", "linear", 0.07),
    "pirl": ("RGB", True, "bank", "A", "linear", 0.07),
    "mocov2": ("RGB", False, "moco", "B", "mlp", 0.2),
    "cmcv2": ("CMC", False, "moco", "E", "mlp", 0.2),
    "infomin": ("RGB", True, "moco", "D", "mlp", 0.15),
    "simclr": ("RGB", False, "batch", "SimCLR", "mlp", 0.1),
}
# Augmentations: brightness, contrast, saturation, hue; probabilities of these, of grey and of blur;
# RandAugment (PyContrast, datasets/util.py, build_transforms; google-research/simclr, data_util.py)
AUGMENTATIONS = {
    "A": ((0.4, 0.4, 0.4, 0.4), 1.0, 0.2, 0.0, None),
    "B": ((0.4, 0.4, 0.4, 0.1), 0.8, 0.2, 0.5, None),
    "C": ((0.4, 0.4, 0.4, 0.1), 1.0, 0.0, 0.0, None),
    "D": ((0.8, 0.8, 0.8, 0.2), 0.8, 0.2, 0.5, "infomin"),
    "E": ((0.4, 0.4, 0.4, 0.1), 0.8, 0.0, 0.5, "cmc"),
    "SimCLR": ((0.8, 0.8, 0.8, 0.2), 0.8, 0.2, 0.5, None),
}
SMALLEST_CROP = {"bank": 0.08, "moco": 0.2, "batch": 0.08}  # build_transforms; data_util.py


def test_every_system_has_the_options_of_a_publication():
    assert {*PUBLISHED} == {*SYSTEMS}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_system_has_the_published_augmentation_and_temperature(composed, name):
    _, _, memory, augmentation, _, temperature = PUBLISHED[name]
    amounts, jitter, gray, blur, operations = AUGMENTATIONS[augmentation]
    cfg = composed(f"system={name}")
    assert cfg.system == name and cfg.pretrain.temperature == temperature
    assert cfg.augment.scale == [SMALLEST_CROP[memory], 1.0] and cfg.augment.flip == 0.5
    of = cfg.photometric
    names = ("brightness", "contrast", "saturation", "hue")
    assert tuple(of.strength * of[amount] for amount in names) == pytest.approx(amounts)
    assert (of.jitter, of.gray, of.blur) == (jitter, gray, blur)
    assert not blur or of.sigma == [0.1, 2.0]
    assert cfg.get("randaugment", {}).get("operations") == operations


@pytest.mark.slow
@pytest.mark.usefixtures("single")
@pytest.mark.parametrize("name", PUBLISHED)
def test_a_system_is_what_was_published_and_takes_steps(composed, name):
    colours, jigsaw, memory, _, head, _ = PUBLISHED[name]
    cfg = composed(f"system={name}", *TINY, of(name))
    trained = trainer(cfg)
    method, views = trained.method, trained.loader.views
    assert isinstance(method, PIRL) == jigsaw
    if jigsaw:
        assert method.beta == 0.5  # options/train_options.py
        method = method.method
    assert isinstance(method.pair_loss, SoftmaxLoss)  # cross-entropy over K + 1
    assert method.encoders[0].kind == head
    if colours == "CMC":  # networks/build_backbone.py, CMCSingleHead; both directions
        assert cfg.views.color == "ydbdr" and [*views.view_channels] == [1, 2]
        assert len(method.encoders.distinct) == 2 and method.graph == "full"
    else:
        assert cfg.views.color == "rgb" and [*views.view_channels] == [3, 3]
        assert len(method.encoders.distinct) == 1
        assert method.graph == {"bank": "own", "moco": "one_way", "batch": "full"}[memory]
    if memory == "bank":  # memory/mem_bank.py: one crop, K draws for each image, of all rows
        negatives = method.bank
        assert views.crops == 1 or method.graph == "own"
        assert (negatives.draws, negatives.mask_own) == ("per_sample", False)
        assert (negatives.positive, negatives.bank.momentum) == ("bank", 0.5)
    elif memory == "moco":  # memory/mem_moco.py: two crops, the whole queue, shuffled statistics
        assert type(method) is METHODS["moco"] and views.crops == 2
        assert not method.mask_own and method.groups == 8
    else:
        assert type(method) is METHODS["simclr"]
    metrics = [step for step, _ in zip(trained, range(2), strict=False)]
    assert all(math.isfinite(m["loss"]) and m["i_nce"] <= trained.cap for m in metrics)
    assert all(("loss_jigsaw" in m) == jigsaw for m in metrics)


def test_our_faster_bank_is_an_option_with_a_name(composed):
    memory = composed("system=cmc", "memory=bank_shared").memory
    assert (memory.draws, memory.mask_own) == ("shared", True)
    assert {*memory} == {*composed("system=cmc").memory}


@pytest.mark.slow
@pytest.mark.usefixtures("single")
@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_is_chosen_by_its_name_alone(composed, name):
    words = {"instdis": ["encoders=shared"], "predictive": ["views.crops=shared"]}.get(name, [])
    views = "whole" if name in ("instdis", "moco") else "raw"
    small = {
        "instdis": ["memory.negatives=16"],
        "moco": ["memory.size=24"],
        "byol": ["byol.hidden=8"],
    }
    cfg = composed(f"method={name}", *TINY, f"views={views}", *words, *small.get(name, []))
    trained = trainer(cfg)
    assert type(trained.method) is METHODS[name] and math.isfinite(next(iter(trained))["loss"])
    dim = {"byol": 256, "vicreg": 1024}.get(name, 128)
    assert trained.method.encoders.width == dim
    if "loss" not in composed(f"method={name}").get(name, {"loss": 0}):
        with refused(f"method={name}: .*unexpected keyword argument 'typo'"):
            plan_pretraining(composed(f"method={name}", *TINY, f"+{name}.typo=1"))
        with refused(f"memory: method={name} has a loss of its own and takes no memory, got"):
            plan_pretraining(composed(f"method={name}", *TINY, "memory=bank"))


@pytest.mark.usefixtures("single")
def test_batches_have_a_pair_of_the_graph_where_images_lack_views(composed):
    cfg = composed(
        *TINY, "views=raw", "views.groups=[[0],[1],[2]]", "graph=core", "views.color=rgb"
    )
    data = instantiate(cfg.data)
    mask = torch.ones(64, 3).bool()
    mask[:24, 0] = False  # these have views 2 and 3, which the core graph does not contrast
    mask[24:44, 2] = False
    sets = [replace(part, view_mask=m) for part, m in ((data.train, mask), (data.test, None))]
    data = replace(data, train=sets[0], test=sets[1], groups=((0,), (1,), (2,)))
    trained = trainer(cfg, data)
    assert isinstance(trained.loader.batches, UniformBatches)
    drawn = {trained.loader.batches.views(step) for step in range(trained.steps)}
    assert drawn == {(0, 1, 2), (0, 1)}
    assert all(math.isfinite(m["loss"]) for m in trained)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cmc", "infomin", "pirl"])
def test_each_of_its_choices_can_be_replaced(composed, name):
    cfg = composed(f"system={name}", "memory=none", "graph=full", "augment=crop", "loss=triplet")
    assert OmegaConf.to_container(cfg.memory) == {"kind": "none"} and cfg.system == name
    assert cfg.loss.name == "triplet" and cfg.augment.scale == [0.5, 1.0]
    assert ("jigsaw" in cfg) == (name == "pirl") and ("shared" in cfg.encoder) == (name != "cmc")
    encoder = ("encoder=alexnet", "encoder.dim=9", "encoders=per_view", "head=linear")
    others = ("views=raw", "jigsaw=none", "schedule=steps", "pretrain.temperature=1", "method=byol")
    cfg = composed(f"system={name}", *encoder, *others)
    assert cfg.encoder.width == 1.0 and cfg.encoder.dim == 9
    assert not {"shared", "head"} & {*cfg.encoder}
    assert cfg.views.kind == "raw" and "jigsaw" not in cfg and cfg.method == "byol"
    assert cfg.pretrain.schedule == "steps" and cfg.pretrain.temperature == 1


def test_without_a_system_a_configuration_is_what_it_was_before_there_were_any(composed):
    """Settings that were not there would have every cell of every grid run again."""
    cfg = composed()
    assert not {"system", "jigsaw", "randaugment", "head", "encoders", "schedule"} & {*cfg}
    assert {*cfg.encoder} == {"name", "size", "dim"} and cfg.memory == {"kind": "none"}
    old = {"_target_", "epochs", "batch", "temperature", "warmup", "seed", "chunk"}
    assert {*cfg.pretrain} == old
    queue = {"kind", "size", "momentum", "dtype", "mask_own"}
    assert {*composed("memory=queue").memory} == queue


@pytest.mark.parametrize("epochs", [200, 800])
def test_the_recipe_for_imagenet_is_the_published_one(composed, epochs):
    cfg = composed(f"experiment=infomin_imagenet_{epochs}ep", "data.root=PLACE")
    cfg = OmegaConf.to_container(cfg, resolve=True)
    assert cfg["data"]["_target_"].endswith("image_folder") and cfg["data"]["root"] == "PLACE"
    net = {"name": "resnet", "depth": 50, "stem": "imagenet", "size": 224, "dim": 128}
    assert cfg["encoder"] == {**net, "head": "mlp", "shared": True}
    queue = {"kind": "queue", "size": 65536, "momentum": 0.999, "dtype": "float32", "groups": 8}
    queue["mask_own"] = False
    assert cfg["memory"] == queue and cfg["graph"] == "one_way"
    numbers = {"epochs": epochs, "batch": 256, "temperature": 0.15, "warmup": 0.0}
    assert numbers.items() <= cfg["pretrain"].items()
    assert cfg["pretrain"]["final"] == 1e-3 and "schedule" not in cfg["pretrain"], "a cosine"
    sgd = {"lr": 0.03, "momentum": 0.9, "weight_decay": 1e-4}
    assert sgd.items() <= cfg["optimizer"].items()
    assert cfg["jigsaw"]["beta"] == 0.5 and cfg["randaugment"]["operations"] == "infomin"
    assert cfg["augment"]["scale"] == [0.2, 1.0] and cfg["augment"]["size"] == 224


@pytest.mark.usefixtures("single")
def test_the_recipe_for_imagenet_takes_steps_on_small_data(composed):
    small = ("encoder=fourconv", "encoder.size=16", "memory.size=24", "data.size=18")
    trained = trainer(composed("experiment=infomin_imagenet_200ep", *TINY, *small))
    metrics = next(iter(trained))
    assert metrics["rate"] == pytest.approx(0.03) and "loss_jigsaw" in metrics


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        ("cosine", [1, (2 + 2**0.5) / 4, 0.5]),
        ("cosine_floor", [1, 0.001 + 0.999 * (2 + 2**0.5) / 4, 0.001 + 0.999 / 2]),
        ("steps", [1, 1, 1, 0.1]),
    ],
)
def test_the_rate_follows_a_schedule(composed, schedule, rates):
    settings = instantiate(composed("pretrain.warmup=0", f"schedule={schedule}").pretrain)
    assert [settings.rate(step, 4) for step in range(len(rates))] == pytest.approx(rates)
