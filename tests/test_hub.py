"""The Hub's own mixin on the folders of generators."""

import json
import sys

import pytest
import torch
from generators import learned
from refusal import refused, spoil

from infomin import load_generator
from infomin.export.hub import HubGenerator

pytestmark = pytest.mark.usefixtures("single")


def test_from_one_folder_to_another(tmp_path):
    g, x = learned(4, value_range=(0, 255)), torch.rand(1, 4, 6, 5) * 255
    g.save(tmp_path / "ours", {"data": "somewhere", "seed": 3})
    hub = HubGenerator.from_pretrained(str(tmp_path / "ours"))
    assert isinstance(hub, HubGenerator) and not hub.training
    hub.save_pretrained(tmp_path / "theirs")
    assert (tmp_path / "theirs" / "README.md").is_file(), "the Hub's card is there"
    again = HubGenerator.from_pretrained(tmp_path / "theirs")
    plain = load_generator(tmp_path / "theirs")
    for other in (hub, again, plain):
        assert all(torch.equal(a, b) for a, b in zip(other(x), g(x), strict=True))
    (tmp_path / "theirs" / "config.json").write_text("{")
    assert HubGenerator.from_pretrained(tmp_path / "theirs").groups == g.groups
    card = json.loads((tmp_path / "theirs" / "card.json").read_text())
    assert card["training"] == {"data": "somewhere", "seed": 3}


def test_a_new_generator_can_be_saved(tmp_path):
    g = HubGenerator(groups=[[2], [0, 1]])
    g.save_pretrained(tmp_path)
    assert load_generator(tmp_path).groups == ((2,), (0, 1))


def test_a_damaged_folder_is_refused_as_everywhere(tmp_path):
    learned().save(tmp_path / "g")
    spoil(tmp_path / "g" / "model.safetensors", "truncated")
    with refused("model.safetensors: is damaged"):
        HubGenerator.from_pretrained(tmp_path / "g")


def test_the_package_is_optional(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.delitem(sys.modules, "infomin.export.hub")
    with refused("hub: huggingface_hub is not installed; pip install huggingface_hub"):
        __import__("infomin.export.hub")
