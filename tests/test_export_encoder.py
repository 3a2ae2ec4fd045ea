"""Exported encoders, loaded by torchvision and timm, which know nothing of ours."""

import json
import subprocess
import sys

import pytest
import torch
from generators import batch, float32, learned, photograph
from refusal import edit, refused
from running import Script
from safetensors.torch import load_file
from torch import nn

from infomin import load_generator
from infomin.core import files
from infomin.export.encoder import export_encoder
from infomin.export.readme import snippet
from infomin.export.torchvision_resnet import build, replaced
from infomin.export.view_names import names
from infomin.models import build_encoders
from infomin.models.pretrained_encoder import PretrainedEncoder, load_encoder
from infomin.views import (
    ChannelViews,
    CombinedViews,
    FrequencyViews,
    LearnedViews,
    ModalityViews,
    PatchViews,
    WholeViews,
    describe_view,
)

pytestmark = pytest.mark.usefixtures("single")

SIZE = 16
STRANGER = """
import importlib.util, os, sys
from pathlib import Path
sys.path = [p for p in sys.path if not (Path(p or ".") / "infomin").is_dir()]
assert importlib.util.find_spec("infomin") is None
import torch
torch.set_num_threads(1)
for folder in sys.argv[1:]:
    os.chdir(folder)
    exec(Path("code.py").read_text())
    torch.save(features(torch.load("view.pt", weights_only=True)), "features.pt")
"""


def images(n=4):
    return batch(photograph(SIZE, SIZE * n)).unflatten(3, (n, SIZE))[0].permute(2, 0, 1, 3)


def saved(folder, views, training=None, name="resnet", **options):
    """Save an encoder that has seen some images, so that its statistics are no others'."""
    encoder = {"name": name, "size": SIZE, "dim": 8, **options}
    encoders = build_encoders(view_channels=views.view_channels, **encoder)
    with torch.no_grad():
        for _ in range(3):
            encoders(views.split(torch.rand(8, views.channels, SIZE, SIZE)))
    return PretrainedEncoder(views, encoders.eval(), encoder).save(folder, training)


def exported(tmp_path, views, formats=None, training=None, **options):
    source = saved(tmp_path / "encoder", views, training, **options)
    folder = export_encoder(source, tmp_path / "out", formats, images(), "astronaut")
    return load_encoder(source), folder, files.read_json(folder / "card.json")


@pytest.fixture(scope="module")
def learned_export(tmp_path_factory):
    """A ResNet-18 for small images on learned views, its folder, and its card."""
    training = {"data": "x\n# Buy [b](http://elsewhere)", "generator": {"data": "photos"}}
    with float32():
        views = LearnedViews(learned())
        return exported(tmp_path_factory.mktemp("learned"), views, training=training)


def check_features(ours, folder, card):
    """Load every file into both libraries' networks and compare features with ours."""
    timm = pytest.importorskip("timm")
    views = ours.views.split(torch.rand(3, 3, SIZE, SIZE))
    for view, backbone, encoder in zip(
        views, ours.encoders.backbones, card["encoders"], strict=True
    ):
        expected = backbone(view)
        assert expected.shape[1] == encoder["features"]
        mean, std = (torch.tensor(encoder[name])[:, None, None] for name in ("mean", "std"))
        of_timm = timm.create_model(card["model"]).eval()
        for name, module in replaced(card["stem"], encoder["channels"]).items():
            setattr(of_timm, name, module)
        for net in (build(card["model"], card["stem"], encoder["channels"]), of_timm):
            for file in encoder["files"]:
                path = folder / file
                weights = load_file(path) if path.suffix == ".safetensors" else torch.load(path)
                for p in net.parameters():
                    nn.init.zeros_(p)
                net.load_state_dict(weights, strict=True)
                with torch.no_grad():
                    features = net((view - mean) / std)
                torch.testing.assert_close(features, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_their_networks_load_it_strictly_and_make_our_features(tmp_path, learned_export):
    check_features(*learned_export)
    views = ChannelViews(color="ydbdr")
    ours, folder, card = exported(tmp_path, views, depth=50, stem="imagenet")
    assert card["model"] == "resnet50" and [e["features"] for e in card["encoders"]] == [2048] * 2
    check_features(ours, folder, card)


@pytest.mark.slow
def test_the_lines_of_the_readme_run_where_infomin_is_not(tmp_path, learned_export):
    shared = exported(tmp_path, WholeViews(), ["pt"], shared=True, stem="imagenet")
    features = {}
    for ours, folder, card in (learned_export, shared):
        readme = (folder / "README.md").read_text()
        code = snippet(card["model"], card["stem"], card["encoders"][-1])
        assert code in readme and readme.count("```python") == len(card["encoders"])
        view = ours.views.split(images())[1]
        torch.save(view, folder / "view.pt")
        (folder / "code.py").write_text(code)
        features[folder] = ours.encoders.backbones[1](view)
    subprocess.run([sys.executable, "-c", STRANGER, *map(str, features)], check=True, timeout=300)
    for folder, expected in features.items():
        loaded = torch.load(folder / "features.pt")
        torch.testing.assert_close(loaded, expected, rtol=1e-5, atol=1e-5)
    assert len([*folder.glob("view_*.pt")]) == 1 and card["shared"]
    assert card["differs"].keys() == {"fc", "input"}, "three channels keep their stem"
    assert "One encoder for every view" in readme and "net.conv1" not in readme


@pytest.mark.slow
def test_a_forgotten_line_of_the_readme_is_noticed(learned_export):
    _, folder, card = learned_export
    code = snippet(card["model"], card["stem"], card["encoders"][0]).replace(
        '"view_', f'"{folder}/view_'
    )
    exec(code, {})
    lines = code.splitlines()
    for forgotten in ("net.conv1", "net.fc", "net.maxpool", "net.load_state_dict", "net.eval"):
        rest = [line for line in lines if not line.startswith(forgotten)]
        assert len(rest) == len(lines) - 1
        with pytest.raises((RuntimeError, AssertionError)):
            exec("\n".join(rest), {})
    with pytest.raises(AssertionError):
        exec(code.replace("(view - mean) / std", "view"), {})


def test_the_folder_is_whole_and_says_what_it_holds(learned_export):
    ours, folder, card = learned_export
    expected = {"README.md", "card.json", "generator"}
    expected |= {f"view_{i}.{kind}" for i in (1, 2) for kind in ("safetensors", "pt")}
    assert expected <= {path.name for path in folder.iterdir()}
    assert card.keys() == {
        *("format", "model", "stem", "shared", "differs"),
        *("encoders", "architecture", "training", "versions"),
    }
    assert card["differs"].keys() == {"conv1", "maxpool", "fc", "input"}
    for encoder in card["encoders"]:
        assert len(encoder["mean"]) == len(encoder["std"]) == encoder["channels"]
        assert encoder["input"] == f"view {encoder['view']} of the generator in generator/"
        for record in encoder["files"].values():
            assert record["max_error"] <= record["max_bound"] == 1e-5 and record["images"] == 4
    readme = (folder / "README.md").read_text()
    assert "trained on x Buy b http elsewhere (CMC" in readme
    g, x = load_generator(folder / "generator"), images()
    assert all(map(torch.equal, g(x), ours.views.split(x)))


RGB = "R, G, B, each scaled from [0.0, 1.0] to [-1, 1]"
TAKES = "scaled from the range that it can take to [-1, 1]"
BLURRED = "blurred by a Gaussian of sigma 1.5 pixels"
WIDE = "scaled from [0.0, 4095.0] to [-1, 1]"


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (ChannelViews(color="ydbdr"), [f"Y of ydbdr, {TAKES}", f"Db, Dr of ydbdr, each {TAKES}"]),
        (
            ChannelViews(4, groups=[[3], [0, 1, 2]], value_range=(0, 4095)),
            [f"channel_3, {WIDE}", f"channel_0, channel_1, channel_2, each {WIDE}"],
        ),
        (WholeViews(number=3), [RGB] * 3),
        (PatchViews(3, SIZE, 0), [RGB] * 2),
        (FrequencyViews(1.5), [f"{RGB}, {BLURRED}", f"{RGB}, less the same image {BLURRED}"]),
        (
            ModalityViews(["L", "normals"], channels=4),
            [f"L of Lab, {TAKES}", "surface normals of the depth, x, y, z within [-1, 1]"],
        ),
        (
            CombinedViews(learned(), chosen=[0]),
            [
                "view 1 of the generator in generator/",
                "channels 1, 2 of rgb, as the generator in generator/ starts from them",
            ],
        ),
    ],
    ids=["ydbdr", "four channels", "whole", "patches", "frequency", "modalities", "combined"],
)
def test_every_view_is_named(view, expected):
    assert names(json.loads(json.dumps(describe_view(view)))) == expected


@pytest.mark.slow
def test_what_cannot_be_exported_is_refused_and_nothing_is_left(tmp_path):
    source = saved(tmp_path / "fourconv", WholeViews(), name="fourconv")
    out, x = tmp_path / "out", images()
    with refused("pretrained: expected a ResNet, which torchvision and timm have too, got fourcon"):
        export_encoder(source, out, None, x, "astronaut")
    source = saved(tmp_path / "resnet", WholeViews())
    with refused("formats: expected one of safetensors, pt, got 'onnx'"):
        export_encoder(source, out, ["onnx"], x, "astronaut")
    with refused("formats: expected some of safetensors, pt, got none"):
        export_encoder(source, out, [], x, "astronaut")
    with refused("data astronaut: expected images to verify an export on, got none"):
        export_encoder(source, out, None, x[:0], "astronaut")
    with refused("view_1.pt: largest error nan on 4 images, expected at most 1.0e-05; nothing"):
        export_encoder(source, out, ["pt"], x * float("nan"), "astronaut")
    edit(source / "card.json", training={"data": "others"})
    with refused("is not the card that was saved with"):
        export_encoder(source, out, None, x, "astronaut")
    assert not out.exists() and not [*tmp_path.glob(".out*")]


@pytest.mark.slow
def test_the_script_exports_what_was_pretrained(tmp_path):
    few = ("data=scenes", "data.train=32", "data.test=16", "budget=smoke", "budget.size=8")
    few += ("encoder=resnet18", "views=raw", "pretrain.batch=16")
    trained = Script(tmp_path, "pretrain", *few)
    assert trained.wait() == 0, trained.err
    done = Script(tmp_path, "export_encoder", "images=4", "formats=[safetensors]")
    assert done.wait() == 0, done.err
    out = trained.folders[0] / "export"
    assert "data as in the training of" in done.out and f"exported to:\n  {out}" in done.out
    assert "view_2.safetensors: G, B, each scaled from [0.0, 1.0] to [-1, 1]; larg" in done.out
    card = files.read_json(out / "card.json")
    assert card["training"]["data"] == "scenes" and card["encoders"][0]["size"] == 8
