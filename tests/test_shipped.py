"""Generators that come with the package, and their names."""

from pathlib import Path

import pytest
import torch
from refusal import refused

import infomin
from infomin.core import artifact
from infomin.shipped import generator_folder

DOCUMENT = Path(__file__).parent.parent / "docs" / "generators.md"


def test_there_are_some_and_all_are_documented():
    names = infomin.list_generators()
    assert {"imagenette96-semi-rgb", "photos-semi-rgb", "nyuv2-semi-rgbd"} <= {*names}
    text = DOCUMENT.read_text()
    assert all(f"`{name}`" in text for name in names)


@pytest.mark.parametrize("name", infomin.list_generators())
def test_each_loads_by_name_and_is_what_its_card_says(single, name):
    g = infomin.load_generator(name)
    training = artifact.read_card(generator_folder(name), "generator")["training"]
    assert name == f"{training['data']}-{training['objective']}-{name.rsplit('-', 1)[1]}"
    assert training["collapsed"] == [] and training["curve"] and training["i_nce"]["value"] > 0
    assert sum(path.stat().st_size for path in generator_folder(name).iterdir()) < 50_000
    x = torch.rand(2, g.channels, 16, 16)
    check = g.check(x)
    assert check.round_trip_error < 1e-5
    assert not torch.allclose(g.transform(x), g.raw(x), atol=0.05), "it has learned something"


def test_a_folder_goes_before_a_name_and_an_unknown_one_is_refused(tmp_path, monkeypatch):
    infomin.ViewGenerator(color="yiq").save(tmp_path / "photos-semi-rgb")
    monkeypatch.chdir(tmp_path)
    assert infomin.load_generator("photos-semi-rgb").color == "yiq"
    with refused(
        "generator: expected a folder or a name of this package, got nowhere; .*photos-semi-rgb"
    ):
        infomin.load_generator("nowhere")
