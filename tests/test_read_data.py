"""Data that a generator or an encoder knows: from its run and its card, and never as code."""

import pytest
import yaml
from omegaconf import OmegaConf
from stacks import NAMES, six_channel_folder

from infomin.cli.launch import warn_of_labels
from infomin.cli.read_data import data_of_run, read_data, take_from_card
from infomin.core.errors import InputError
from infomin.generator import ViewGenerator

STACKS = {"_target_": "infomin.data.image_folder", "root": "PATH", "size": 16}


def run_folder(folder, data):
    """Write the configuration of a run; return the folder of its generator."""
    generator = folder / "run" / "generator"
    generator.mkdir(parents=True)
    (generator.parent / "config.yaml").write_text(yaml.safe_dump({"data": data, "seed": 0}))
    return generator


def test_the_run_of_a_generator_knows_its_data(tmp_path):
    generator = run_folder(tmp_path, STACKS)
    assert data_of_run(generator) == STACKS
    (generator.parent / "along" / "0000100").mkdir(parents=True)
    assert data_of_run(generator.parent / "along" / "0000100") == STACKS
    assert data_of_run("imagenette96-semi-rgb") is None  # a generator of the package has no run


@pytest.mark.parametrize(
    "data",
    [
        None,
        "photos",
        {"name": "tensors"},  # of the Python API
        {"_target_": "os.system", "command": "true"},
        {"_target_": "infomin.data.from_torch", "train": []},
        STACKS | {"root": {"_target_": "os.getcwd"}},
        STACKS | {"channel_names": [{"_target_": "os.getcwd"}]},
        STACKS | {"root": "${oc.env:HOME}"},
        STACKS | {"_args_": [1]},
        STACKS | {"unknown": 1},
    ],
)
def test_nothing_else_in_a_run_is_taken(tmp_path, data):
    assert data_of_run(run_folder(tmp_path, data)) is None


def test_the_split_what_is_left_out_and_doubtful_labels_are_printed(tmp_path, capsys):
    root = six_channel_folder(tmp_path / "stacks", count=5)
    (root / "astronaut").rename(root / "2024-01-05")
    (root / "coffee").rename(root / "2024-01-06")
    (root / ".Trash").mkdir()
    data = {**STACKS, "root": str(root), "cache": str(tmp_path), "value_range": [0, 4095]}
    dataset = read_data(OmegaConf.create({"data": data}))
    warn_of_labels(dataset)
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        f"data stacks: 8 training images, 2 test images (a random share of {root}); 2 classes: "
        "2024-01-05, 2024-01-06",
        f"left out of {root}: 1 hidden (.Trash)",
    ]
    assert err.startswith("warning: data stacks: 2 classes look like no labels, since their names")


def test_a_card_tells_range_and_names_unless_the_user_does(tmp_path):
    g = ViewGenerator(6, value_range=(0, 4095), channel_names=NAMES)
    root = six_channel_folder(tmp_path / "stacks", count=5)
    options = STACKS | {"root": str(root), "cache": str(tmp_path), "test_share": 0.4}
    cfg = OmegaConf.create({"data": options | {"value_range": None, "channel_names": None}})
    data = read_data(cfg, "a generator", g)
    assert data.generator_options == {
        "channels": 6,
        "value_range": (0.0, 4095.0),
        "channel_names": NAMES,
    }
    given = OmegaConf.create({"value_range": [0, 9], "channel_names": None})
    assert take_from_card(given, g) == ["data.channel_names"] and given.value_range == [0, 9]
    cfg.data.update({"value_range": [0, 4095], "channel_names": None})
    with pytest.raises(InputError, match="expected 6 names, got 2; data.channel_names came from"):
        read_data(cfg, "a generator", ViewGenerator(2, channel_names=("a", "b")))
