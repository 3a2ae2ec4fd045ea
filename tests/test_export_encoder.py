"""Exported encoders, loaded by torchvision and timm, which know nothing of ours."""

import json
import subprocess
import sys

import pytest
import torch
from generators import batch, learned, photograph
from refusal import edit, refused
from running import Script
from safetensors.torch import load_file
from torch import nn

from infomin import load_generator
from infomin.core import files
from infomin.export.encoder import export_encoder
from infomin.export.encoder_readme import snippet
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
)

pytestmark = pytest.mark.usefixtures("single")

SIZE = 16
STRANGER = """
import sys
from pathlib import Path
sys.path = [p for p in sys.path if not (Path(p or ".") / "infomin").is_dir()]
import importlib.util
assert importlib.util.find_spec("infomin") is None
import torch
torch.set_num_threads(1)
exec(Path(sys.argv[1]).read_text())
torch.save(features(torch.load("view.pt", weights_only=True)), "features.pt")
"""


def images(n=4):
    return batch(photograph(SIZE, SIZE * n)).unflatten(3, (n, SIZE))[0].permute(2, 0, 1, 3)


def saved(folder, views, depth=18, name="resnet", training=None, **options):
    """Save an encoder that has seen some images, so that its statistics are no others'."""
    encoder = {"name": name, "size": SIZE, "dim": 8}
    encoder |= {"depth": depth, **options} if name == "resnet" else {}
    encoders = build_encoders(view_channels=views.view_channels, **encoder)
    with torch.no_grad():
        for _ in range(3):
            encoders(views.split(torch.rand(8, views.channels, SIZE, SIZE)))
    return PretrainedEncoder(views, encoders.eval(), encoder).save(
        folder, training or {"data": "noise"}
    )


def exported(tmp_path, views, formats=None, **options):
    source = saved(tmp_path / "encoder", views, **options)
    folder = export_encoder(source, tmp_path / "out", formats, images(), "astronaut")
    return load_encoder(source), folder, files.read_json(folder / "card.json")


def standardised(view, encoder):
    mean, std = (torch.tensor(encoder[name])[:, None, None] for name in ("mean", "std"))
    return (view - mean) / std


@pytest.mark.slow
@pytest.mark.parametrize(("depth", "stem"), [(18, "small"), (50, "small"), (50, "imagenet")])
@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_their_networks_load_it_strictly_and_make_our_features(tmp_path, depth, stem, library):
    ours, folder, card = exported(tmp_path, ChannelViews(color="ydbdr"), depth=depth, stem=stem)
    assert card["model"] == f"resnet{depth}" and len(card["encoders"]) == 2
    x = torch.rand(3, 3, SIZE, SIZE)
    for i, encoder in enumerate(card["encoders"]):
        net = build(card["model"], stem, encoder["channels"])
        if library == "timm":
            timm = pytest.importorskip("timm")
            net = timm.create_model(card["model"]).eval()
            for name, part in replaced(stem, encoder["channels"]).items():
                setattr(net, name, part)
        view = ours.views.split(x)[i]
        expected = ours.encoders.backbones[i](view)
        for file in encoder["files"]:
            path = folder / file
            weights = load_file(path) if path.suffix == ".safetensors" else torch.load(path)
            for p in net.parameters():
                nn.init.zeros_(p)
            told = net.load_state_dict(weights, strict=True)
            assert not told.missing_keys and not told.unexpected_keys
            with torch.no_grad():
                made = net(standardised(view, encoder))
            torch.testing.assert_close(made, expected, rtol=1e-5, atol=1e-5)
        assert expected.shape[1] == encoder["features"] == {18: 512, 50: 2048}[depth]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("formats", "options"),
    [(None, {}), (["pt"], {}), (None, {"shared": True, "stem": "imagenet"})],
    ids=["safetensors", "pt", "shared"],
)
def test_the_lines_of_the_readme_run_where_infomin_is_not(tmp_path, formats, options):
    ours, folder, card = exported(tmp_path, WholeViews(), formats, **options)
    readme = (folder / "README.md").read_text()
    view = ours.views.split(images())[1]
    torch.save(view, folder / "view.pt")
    encoders = 1 if options else 2
    code = snippet(card["model"], card["stem"], card["encoders"][-1])
    assert code in readme and readme.count("```python") == len(card["encoders"]) == encoders
    (tmp_path / "code.py").write_text(code)
    command = [sys.executable, "-c", STRANGER, str(tmp_path / "code.py")]
    subprocess.run(command, check=True, timeout=300, cwd=folder)
    made = torch.load(folder / "features.pt")
    torch.testing.assert_close(made, ours.encoders.backbones[1](view), rtol=1e-5, atol=1e-5)


def test_a_forgotten_line_of_the_readme_is_noticed(tmp_path):
    _, folder, card = exported(tmp_path, WholeViews(), ["safetensors"])
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


def test_a_shared_encoder_is_one_file_and_three_channels_keep_their_stem(tmp_path):
    _, folder, card = exported(tmp_path, WholeViews(), ["pt"], shared=True, stem="imagenet")
    assert [path.name for path in folder.glob("*.pt")] == ["view_1.pt"] and card["shared"]
    assert card["differs"].keys() == {"fc", "input"}
    readme = (folder / "README.md").read_text()
    assert "One encoder for every view" in readme and "net.conv1" not in readme


def test_the_folder_is_whole_and_says_what_it_holds(tmp_path):
    training = {"data": "x\n# Buy [b](http://elsewhere)", "generator": {"data": "photos"}}
    views = LearnedViews(learned())
    ours, folder, card = exported(tmp_path, views, training=training)
    expected = {"README.md", "card.json", "generator"}
    expected |= {f"view_{i}.{kind}" for i in (1, 2) for kind in ("safetensors", "pt")}
    assert {path.name for path in folder.iterdir()} == expected
    assert card.keys() == {
        *("format", "model", "stem", "shared", "differs"),
        *("encoders", "architecture", "training", "versions"),
    }
    assert card["differs"].keys() == {"conv1", "maxpool", "fc", "input"}
    for encoder in card["encoders"]:
        assert len(encoder["mean"]) == len(encoder["std"]) == encoder["channels"]
        assert encoder["input"] == f"view {encoder['view']} of the generator in generator/"
        for told in encoder["files"].values():
            assert told["max_error"] <= told["max_bound"] == 1e-5 and told["images"] == 4
    readme = (folder / "README.md").read_text()
    assert "trained on x Buy b http elsewhere (CMC" in readme
    g, x = load_generator(folder / "generator"), images()
    for made, expected in zip(g(x), ours.views.split(x), strict=True):
        assert made.equal(expected)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (
            lambda: ChannelViews(color="ydbdr"),
            [
                "Y of ydbdr, scaled from the range that it can take to [-1, 1]",
                "Db, Dr of ydbdr, each scaled from the range that it can take to [-1, 1]",
            ],
        ),
        (
            lambda: ChannelViews(4, groups=[[3], [0, 1, 2]], value_range=(0, 4095)),
            [
                "channel_3, scaled from [0.0, 4095.0] to [-1, 1]",
                "channel_0, channel_1, channel_2, each scaled from [0.0, 4095.0] to [-1, 1]",
            ],
        ),
        (lambda: WholeViews(number=3), ["R, G, B, each scaled from [0.0, 1.0] to [-1, 1]"] * 3),
        (lambda: PatchViews(3, SIZE, 0), ["R, G, B, each scaled from [0.0, 1.0] to [-1, 1]"] * 2),
        (
            lambda: FrequencyViews(1.5),
            [
                "R, G, B, each scaled from [0.0, 1.0] to [-1, 1], blurred by a Gaussian of sigma "
                "1.5 pixels",
                "R, G, B, each scaled from [0.0, 1.0] to [-1, 1], less the same image blurred by a "
                "Gaussian of sigma 1.5 pixels",
            ],
        ),
        (
            lambda: ModalityViews(["L", "normals"], channels=4),
            [
                "L of Lab, scaled from the range that it can take to [-1, 1]",
                "surface normals of the depth, x, y, z within [-1, 1]",
            ],
        ),
        (
            lambda: CombinedViews(learned(), chosen=[0]),
            [
                "view 1 of the generator in generator/",
                "channels 1, 2 of rgb, as the generator in generator/ starts from them",
            ],
        ),
    ],
    ids=["ydbdr", "four channels", "whole", "patches", "frequency", "modalities", "combined"],
)
def test_every_view_is_named(tmp_path, make, told):
    source = saved(tmp_path / "encoder", make(), name="fourconv")
    card = json.loads((source / "card.json").read_text())
    assert names(card["architecture"]["views"]) == told


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
    edit(source / "card.json", training={})
    with refused("is not the card that was saved with"):
        export_encoder(source, out, None, x, "astronaut")
    assert not out.exists() and not [*tmp_path.glob(".out*")]


@pytest.mark.slow
def test_the_script_exports_what_was_pretrained(tmp_path):
    few = ("data=scenes", "data.train=32", "data.test=16", "budget=smoke", "budget.size=8")
    told = ("encoder=resnet18", "views=raw", "pretrain.batch=16", "probe.epochs=1")
    trained = Script(tmp_path, "pretrain", *few, *told)
    assert trained.wait() == 0, trained.err
    out = tmp_path / "mine"
    done = Script(tmp_path, "export_encoder", f"out={out}", "images=4", "formats=[safetensors]")
    assert done.wait() == 0, done.err
    assert "trained on scenes, not on photos" in done.out and f"exported to:\n  {out}" in done.out
    assert "view_2.safetensors: G, B, each scaled from [0.0, 1.0] to [-1, 1]; larg" in done.out
    card = files.read_json(out / "card.json")
    assert card["training"]["data"] == "scenes" and card["encoders"][0]["size"] == 8
