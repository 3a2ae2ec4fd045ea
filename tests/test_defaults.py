"""One recipe: defaults of Python signatures are those of the configuration."""

import inspect
from importlib import import_module

import hydra
import pytest
from omegaconf import OmegaConf

from infomin.cli import CONF
from infomin.evaluation import evaluate, linear_probe
from infomin.flows import build_flow
from infomin.methods import METHODS
from infomin.methods.contrastive import PAIR_LOSSES
from infomin.methods.memory import BankNegatives
from infomin.methods.moco import MoCo
from infomin.models import BACKBONES, build_encoders
from infomin.training.game_settings import MODES, GameSettings
from infomin.views import VIEWS


def composed(name, *words):
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return OmegaConf.to_container(hydra.compose(name, list(words)), resolve=True)


def defaults(function):
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def same(a, b):
    if isinstance(a, list) and isinstance(b, tuple):
        return a == pytest.approx(list(b))
    return a == b


def check(node, function, *but):
    """Compare every option of a node that has a default in Python."""
    known = defaults(function)
    shared = (node.keys() & known.keys()) - {"seed", *but}
    differing = {k: (node[k], known[k]) for k in shared if not same(node[k], known[k])}
    assert not differing, f"{function}: conf and signature differ in {differing}"
    return len(shared)


def targets(node):
    if isinstance(node, dict):
        if "_target_" in node and not node["_target_"].startswith("torch."):
            yield node
        for child in node.values():
            yield from targets(child)


@pytest.mark.parametrize("name", ["learn_views", "pretrain", "evaluate", "segment"])
def test_objects_have_the_defaults_of_the_configuration(name):
    checked = 0
    for node in targets(composed(name)):
        module, _, attribute = node["_target_"].rpartition(".")
        if attribute != "GameSettings":  # whose defaults depend on the mode, see below
            checked += check(node, getattr(import_module(module), attribute))
    assert checked


@pytest.mark.parametrize("mode", MODES)
def test_the_game_has_the_defaults_of_its_mode(mode):
    game = composed("learn_views", f"mode={mode}")["game"]
    del game["_target_"]
    assert GameSettings(mode=mode) == GameSettings(**game)


def test_flows_probes_and_encoders_have_the_defaults_of_the_configuration():
    for flow in ("affine", "additive"):
        node = composed("learn_views", f"flow={flow}")["flow"]
        assert check(node, build_flow, "kind")
    probe = composed("evaluate")["probe"]
    assert check(probe, evaluate) + check(probe, linear_probe)
    for name in ("fourconv", "alexnet", "resnet18"):
        node = composed("pretrain", f"encoder={name}")["encoder"]
        check(node, build_encoders)
        check(node, BACKBONES[node["name"]], "size")


def test_views_have_the_defaults_of_the_configuration():
    for name in ("raw", "whole", "frequency", "patches", "modalities"):
        node = composed("pretrain", f"views={name}")["views"]
        assert check(node, VIEWS[node["kind"]])


def test_methods_have_the_defaults_of_the_configuration():
    bank = composed("pretrain", "memory=bank")["memory"]
    queue = composed("pretrain", "memory=queue")["memory"]
    assert check(bank, BankNegatives) and check(queue, MoCo.build_negatives)
    for loss in ("logistic", "triplet"):
        assert check(composed("pretrain", f"loss={loss}")["loss"], PAIR_LOSSES[loss])
    for name in ("byol", "vicreg"):
        assert check(composed("pretrain", f"method={name}")[name], METHODS[name])
