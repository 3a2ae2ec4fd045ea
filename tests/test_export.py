"""Exports, opened by those they are for."""

import json
import subprocess
import sys
from dataclasses import asdict

import jaxtyping
import numpy as np
import onnxruntime
import pytest
import torch
from generators import batch, learned, photograph
from refusal import only_line, refused
from running import Script
from torch import nn

import infomin
from infomin import load_generator
from infomin.core import artifact
from infomin.export import cube, export
from infomin.export.formats import FORMATS, default_formats, lut
from infomin.export.formats.artifact import Program
from infomin.export.sample import Sample, random_images
from infomin.flows import KINDS, MIXINGS

pytestmark = pytest.mark.usefixtures("single", "traceable")

# what a stranger runs who has torch and nothing of ours
STRANGER = """
import importlib.util, sys
from pathlib import Path
sys.path = [p for p in sys.path if not (Path(p or ".") / "infomin").is_dir()]
assert importlib.util.find_spec("infomin") is None
import torch
torch.set_num_threads(1)
for folder in map(Path, sys.argv[1:]):
    g = torch.export.load(folder / "generator.pt2").module()
    torch.save([g(x) for x in torch.load(folder / "x.pt", weights_only=True)], folder / "y.pt")
"""
SIZES = [(1, 1, 1), (2, 5, 3), (1, 31, 70), (5, 16, 16)]


@pytest.fixture
def traceable():
    """Shapes unchecked: their checks are Python that a strict export refuses to trace."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def images(channels=3, n=4):
    x = batch(photograph(64, 64 * n)).unflatten(3, (n, 64))[0].permute(2, 0, 1, 3)
    return torch.cat([x.roll(i, dims=1) for i in range(channels)], 1)[:, :channels].contiguous()


def sample_of(g):
    low, high = g.value_range
    return Sample.of(g, low + images(g.channels) * (high - low), "astronaut")


def exported(tmp_path, g, *formats):
    g.save(tmp_path / "g", {"data": "nothing", "objective": "none"})
    return export(tmp_path / "g", tmp_path / "out", formats, sample_of(g).images, "astronaut")


def random(g, size):
    n, h, w = size
    low, high = g.value_range
    return low + torch.rand(n, g.channels, h, w) * (high - low)


GENERATORS = {
    "two_channels": {"channels": 2},
    "five_in_three_views": {"channels": 5, "groups": [[4], [0, 2], [1, 3]]},
    "12_bits": {"channels": 4, "value_range": (0, 4095)},
    "from_ydbdr": {"color": "ydbdr", "flow": {"kind": "additive", "mixing": "rotation"}},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mixing", MIXINGS)
def test_the_program_is_the_generator(kind, mixing):
    g = learned(flow={"kind": kind, "mixing": mixing})
    x = torch.rand(2, 3, 5, 7)
    for views, v in zip(Program(g)(x), g(x), strict=True):
        torch.testing.assert_close(views, v, atol=1e-6, rtol=0)


@pytest.mark.slow
def test_torch_export_runs_without_infomin(tmp_path):
    generators = {name: learned(**options) for name, options in GENERATORS.items()}
    for name, g in generators.items():
        (tmp_path / name).mkdir()
        FORMATS["torch_export"].write(g, tmp_path / name, sample_of(g))
        torch.save([random(g, size) for size in SIZES], tmp_path / name / "x.pt")
    command = [sys.executable, "-c", STRANGER, *(str(tmp_path / name) for name in generators)]
    subprocess.run(command, check=True, timeout=120)
    for name, g in generators.items():
        xs, ys = (torch.load(tmp_path / name / f"{v}.pt", weights_only=True) for v in "xy")
        for x, views in zip(xs, ys, strict=True):
            for v, expected in zip(views, g(x), strict=True):
                torch.testing.assert_close(v, expected, atol=1e-5, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", GENERATORS)
def test_onnx_runtime_runs_it(tmp_path, name):
    g = learned(**GENERATORS[name])
    FORMATS["onnx"].write(g, tmp_path, sample_of(g))
    session = onnxruntime.InferenceSession(tmp_path / "generator.onnx")
    names = [f"view_{i + 1}" for i in range(len(g.groups))]
    assert [o.name for o in session.get_outputs()] == names
    several_chunks, empty = (2, 181, 199), (0, 4, 4)
    for x in (random(g, size) for size in (*SIZES, several_chunks, empty)):
        for v, expected in zip(session.run(names, {"images": x.numpy()}), g(x), strict=True):
            np.testing.assert_allclose(v, expected, atol=1e-5, rtol=0)
    integers = tmp_path / "generator_uint8.onnx"
    assert integers.is_file() == (g.value_range == (0, 1))
    if integers.is_file():
        x = torch.randint(256, (2, g.channels, 9, 4), dtype=torch.uint8)
        views = onnxruntime.InferenceSession(integers).run(None, {"images": x.numpy()})
        for v, expected in zip(views, g(x / 255), strict=True):
            np.testing.assert_allclose(v, expected, atol=1e-5, rtol=0)


@pytest.mark.slow
def test_the_folder_is_whole_and_says_what_it_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(cube, "_FIT_STEPS", 5)  # a g this smooth needs no more
    g = learned(std=0.1)
    folder = exported(tmp_path, g, "artifact", "torch_export", "onnx", "lut", "table")
    again = load_generator(folder)
    assert all(torch.equal(a, again.state_dict()[k]) for k, a in g.state_dict().items())
    card = artifact.read_card(folder, "generator")
    assert card["training"] == {"data": "nothing", "objective": "none"}
    files = {"generator.pt2", "generator.onnx", "generator_uint8.onnx", "colors.npy"}
    files |= {"generator_33.cube", "generator_65.cube"}
    assert card["exports"].keys() == files <= {path.name for path in folder.iterdir()}
    for record in card["exports"].values():
        assert record["data"] == "astronaut" and record["images"] == 4
        assert 0 <= record["mean_error"] <= record["max_error"] <= record["max_bound"]
    readme = (folder / "README.md").read_text()
    assert all(name in readme for name in files) and "views.png" in readme
    colors, level = np.load(folder / "colors.npy", mmap_mode="r"), torch.tensor([9, 200, 31])
    expected = g.transform(level.view(1, 3, 1, 1) / 255).flatten()
    np.testing.assert_allclose(colors[9 * 65536 + 200 * 256 + 31], expected, atol=1e-6)
    for path in folder.iterdir():
        assert str(tmp_path).encode() not in path.read_bytes()[:500_000], path
        assert b"site-packages" not in path.read_bytes()[:500_000], path


@pytest.mark.parametrize("check", [None, {"channel_mean": [1e9] * 4, "channel_std": ["x"] * 4}])
def test_random_images_stand_in_for_data(check):
    g = learned(4, value_range=(-100, 4095))
    statistics = check or asdict(g.check(random(g, (8, 32, 32))))
    training = {"check": json.loads(json.dumps(statistics))}
    x, words = random_images(g, training, 20, 32)
    assert x.shape == (20, 4, 32, 32) and -100 <= x.min() and x.max() <= 4095
    assert words.startswith("noise with" if check is None else "noise within")
    if check is None:
        means = torch.tensor([g.check(x).channel_mean, statistics["channel_mean"]])
        assert (means[0] - means[1]).abs().max() < 0.25
    assert torch.equal(x, random_images(g, training, 20, 32)[0])


@pytest.mark.slow
def test_the_command_needs_no_data_and_no_folder(tmp_path):
    g = learned(4, value_range=(0, 4095))
    source = g.save(tmp_path / "runs" / "learn_views" / "r" / "generator", {"data": "mine"})
    (source.parent / "result.json").write_text("{}")
    done = Script(tmp_path, "export_generator", "formats=[artifact]", "images=4")
    assert done.wait() == 0, done.err
    assert "verified on noise within its value range; data=... verifies on" in done.out
    assert done.out.splitlines()[-2].strip() == str(source.parent / "export")
    x = random(g, (1, 4, 4))
    again = load_generator(source.parent / "export")
    assert all(torch.equal(a, b) for a, b in zip(again(x), g(x), strict=True))
    line = only_line(Script(tmp_path, "export_generator", f"generator={source}", "data=scenes"))
    assert "takes 4 channels within [0.0, 4095.0]" in line


def test_absurd_cards_and_weights_do_no_harm(tmp_path):
    g = learned(4, channel_names=["$\\frac$", "$", "<b>", "x"])
    absurd = "x\n\n# <b>Buy</b> [here](http://elsewhere) $x$"
    training = {"data": absurd, "objective": "\ud800", "more": "$x$ " * 1000}
    g.save(tmp_path / "g", training)
    folder = export(tmp_path / "g", tmp_path / "out", ["artifact"], images(4), "$\\frac$")
    assert (folder / "views.png").stat().st_size < 500_000
    readme = (folder / "README.md").read_text()
    assert "learned on x b Buy b here http elsewhere x by the objective" in readme
    for p in g.parameters():
        nn.init.normal_(p, std=1e4)
    g.save(tmp_path / "huge")
    with refused("generator: makes infinite views of x; its weights are absurd"):
        export(tmp_path / "huge", tmp_path / "no", ["artifact"], images(4), "x")
    with refused("channel_names: expected names of at most 64 printable characters"):
        learned(channel_names=["R" * 65, "G", "B"])


@pytest.mark.slow
def test_what_is_shipped_can_be_a_lookup_table(tmp_path, monkeypatch):
    monkeypatch.delitem(lut.BOUNDS, 65)  # takes ten times as long
    for name in infomin.list_generators():
        if (g := load_generator(name)).channels == 3:
            FORMATS["lut"].write(g, tmp_path, sample_of(g))


def test_formats_register_themselves():
    assert {*default_formats(learned())} == {*FORMATS} - {"table"}
    assert {*default_formats(learned(4))} == {"artifact", "torch_export", "onnx"}


def test_a_missed_bound_says_the_figure_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(lut, "BOUNDS", {9: (2 / 255, 5e-4)})
    with refused(r"generator_9.cube: largest error \d.\de-\d\d on 4 images of astronaut, expected"):
        exported(tmp_path, learned(std=1.5), "lut")
    assert [path.name for path in tmp_path.iterdir()] == ["g"]


def test_what_does_not_fit_is_refused_before_any_work(tmp_path, monkeypatch):
    with refused("lut: a lookup table needs a generator of 3 channels, got 4"):
        exported(tmp_path, learned(4), "lut")
    source, x = tmp_path / "g", images(4)
    with refused("formats: expected one of artifact, lut, onnx, table, torch_export, got 'tflite'"):
        export(source, tmp_path / "out", ["tflite"], x, "x")
    with refused("this generator takes b c h w with 4 channels"):
        export(source, tmp_path / "out", ["artifact"], images(3), "x")
    with refused("data x: expected images to verify an export on, got none"):
        export(source, tmp_path / "out", ["artifact"], x[:0], "x")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert "onnx" not in default_formats(learned()), "the others are exported without it"
    with refused("onnx: needs packages that are not installed; pip install onnxruntime, or"):
        export(source, tmp_path / "out", ["onnx"], x, "x")
    assert [path.name for path in tmp_path.iterdir()] == ["g"]
