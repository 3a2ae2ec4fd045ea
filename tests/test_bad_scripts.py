"""Every command answers a mistake with one line, before any work starts, and leaves nothing."""

import os
import subprocess
import sys

import numpy as np
import pytest
from refusal import only_line, picture, spoil
from running import SCRIPTS, Command, Script

pytestmark = [pytest.mark.usefixtures("single"), pytest.mark.slow]

SMALL = ("data=scenes", "data.train=64", "data.test=32", "budget=smoke")
GAME = (*SMALL, "labels.share=1", "game.batch=8", "game.labelled_batch=8")
OPTIONS = {"learn_views": GAME, "pretrain": (*SMALL, "views=raw", "pretrain.batch=8")}
OPTIONS |= {"evaluate": SMALL, "segment": ("budget=smoke",)}
WRONG = {
    "learn_views": [
        ("game.batchsize=3", "There is no such option; did you mean game.batch? --help lists"),
        ("data.keep=files", "There is no such option; data=NAME beside it says whose option it is"),
        ("--mode semi", "--mode: options have no dashes; write mode=VALUE"),
        ("+data.foo=1", "scenes() got an unexpected keyword argument 'foo'"),
        ("+flow.foo=1", "flow: build_flow() got an unexpected keyword argument"),
        ("select=best", "select: expected one of last, sweet_spot, got 'best'"),
        (
            "mode=unsup select=sweet_spot",
            "sweet_spot needs labels, mode=unsup has none; set mode=semi",
        ),
        ("devices=2 select=sweet_spot", "select: sweet_spot is for one process, got 2"),
        ("color=lab", "got 'lab', which has no exact linear inverse"),
        ("flow.mixing=foo", "flow.mixing: expected one of rotation, orthogonal"),
        ("flow.hidden=wide", "flow.hidden: expected at least 1, got 'wide'"),
        (
            "labels.share=null labels.number=65",
            "number: expected at most 64, the labels of the data, got 65",
        ),
        ("device=cube", "device: expected one of auto, cpu, cuda, mps, got 'cube'"),
        ("precision=16-mixed", "precision: expected one of auto, 32-true, bf16-mixed, got '16-mi"),
        ("resume=true", "resume: no unfinished run of this configuration in"),
        ("augment=simclr", "No match in the defaults list. This command has no such group"),
        ("augment=whole", "augment: Whole.__init__() got an unexpected keyword"),
    ],
    "estimate_information": [
        ("unit=trits", "unit: expected one of nats, bits, got 'trits'"),
        ("k=2000", "k: expected 2 <= K <= 1600 held-out images, got 2000"),
        ("devices=2", "devices: infomin estimate-information runs in 1 process, got 2"),
        ("self_test=true precision=bf16-mixed", "precision: expected one of auto, 32-true, got"),
        ("inputs=log", "inputs: expected one of standard, rank, got 'log'"),
    ],
    "pretrain": [
        ("views.color=foo", "color: expected one of rgb, ydbdr"),
        ("views.groups=[[0],[1]]", "groups: expected a partition of channels 0..2"),
        ("pretrain.temperature=0", "temperature: expected a number > 0, got 0"),
        ("views=learned", "no finished run of infomin learn-views in"),
        ("views.combine.p=0.5", "Could not override 'views.combine.p'"),
        ("photometric.hue=1", "photometric.hue: expected at most 0.5"),
        ("photometric.blur=-1", "photometric.blur: expected a probability, got -1"),
        ("augment=simclr photometric.strength=-1", "strength: expected at least 0, got -1"),
        (
            "encoder.size=64",
            "augment.size: expected at most 32 pixels, the shorter side of images of 32x32, got 64",
        ),
        ("views=whole views.number=1", "views.number: expected at least 2, got 1"),
        ("views=frequency views.sigma=0", "views.sigma: expected a number > 0, got 0"),
        ("views=patches views.distance=-1", "views.distance: expected a whole number"),
        ("views=patches views.distance=1", "views.distance: expected 0..0 pixels"),
        ("views=patches encoder.size=64", "views.patch: expected 1..32 pixels of im"),
        ("views=raw views.kind=other", "views.kind: expected one of combined, freq"),
        ("pair_weights=3", "pair_weights: expected 1 numbers, for the views 1-2, got 3"),
        ("memory=bank memory.negatives=1.5", "memory.negatives: expected a whole"),
        ("memory=queue memory.size=9.5", "memory.size: expected a whole number"),
        ("memory=bank memory.momentum=much", "memory.momentum: expected a share"),
        (
            "system=moco views=whole memory.groups=7 pretrain.batch=64",
            "memory.groups: expected a divisor of the 64",
        ),
        (
            "system=moco views=whole pretrain.chunk=9 pretrain.batch=64",
            "pretrain.chunk: expected 8, the images of e",
        ),
        ("graph=own", "graph: own compares an image with its row of a bank, expected"),
        ("encoders=shared", "encoder.shared: expected views of the same number o"),
        ("views=frequency jigsaw=pirl", "jigsaw: expected views that are made pixel b"),
        (
            "system=infomin views=whole jigsaw.piece=11 pretrain.batch=64",
            "jigsaw: expected images of at least 33x33 pixels, for 3 x 3 patches of 11, got 32x32",
        ),
        ("jigsaw=pirl loss=l2 views.crops=shared", "jigsaw: expected none with method=predictive"),
        ("+pretrain.schedule=linear", "pretrain.schedule: expected one of constant, c"),
        ("schedule=cosine_floor pretrain.final=2", "pretrain.final: expected a share within"),
        ("loss=triplet loss.margin=wide", "loss.margin: expected a difference of cosines"),
        ("pretrain.chunk=1.5", "chunk: expected a whole number of at least 1"),
        ("loss=l1", "views.crops: expected shared with method=predictive, which predicts"),
        (
            "loss=l2 views.crops=shared memory=queue",
            "memory: expected none with method=predictive, got queue; set memory=none",
        ),
        (
            "loss=l2 views.crops=shared encoder=alexnet encoder.width=0.1",
            "probe.tap: loss=l2 predicts from conv5 and does not train fc6, fc7, got fc7; se",
        ),
        ("probe.tap=fc7", "tap: expected one of conv1, conv2, conv3, conv4, got 'fc7'"),
        ("encoder.name=vgg", "encoder.name: expected one of alexnet, fourconv, resnet"),
        ("monitor.every=0.5", "monitor.every: expected a whole number of at least 0"),
        ("method=byol loss=l1", "loss: method=byol has a loss of its own and takes no"),
        ("method=byol +byol.foo=1", "method=byol: BYOL.__init__() got an unexpected"),
        ("method=vicreg jigsaw=pirl", "jigsaw: expected none with method=vicreg"),
        (
            "memory=bank data.train=96 pretrain.batch=32",
            "memory.negatives: expected 1..96, the number of samples to draw from, got 4096; set",
        ),
    ],
    "segment": [
        ("segment.epochs=0", "segment.epochs: expected a whole number of at least 1"),
        ("seed=1", "no finished run of infomin pretrain in"),
    ],
    "evaluate": [
        ("seed=1", "no finished run of infomin pretrain in"),
    ],
    "export_encoder": [
        ("images=9", "no finished run of infomin pretrain in"),
    ],
    "export_generator": [
        ("seed=1", "There is no such option"),
        ("images=0", "images: expected a whole number of at least 1, got 0"),
        ("images=9", "no finished run of infomin learn-views in"),
        (
            "generator=imagenette96-semi-rgb out=mine",
            "out: expected the folder of all runs, got mine; folder=mine is where the export goes",
        ),
    ],
}


@pytest.mark.parametrize(
    ("name", "override", "message"),
    [(name, *row) for name, rows in WRONG.items() for row in rows],
)
def test_a_wrong_option_is_one_line(tmp_path, name, override, message):
    command = Command(tmp_path, name, *OPTIONS.get(name, ()), *override.split())
    assert message in only_line(command)


@pytest.mark.parametrize(("name", "views"), [("learn_views", ()), ("pretrain", ("views=raw",))])
def test_bad_images_are_one_line(tmp_path, folder, name, views):
    bad = spoil(folder / "a" / "2.jpg", "truncated")
    options = ("data=image_folder", f"data.root={folder}", f"data.cache={tmp_path / 'cache'}")
    line = only_line(Command(tmp_path, name, "budget=smoke", *options, *views))
    assert line.startswith(f"{bad}: cannot be read")


def test_one_class_alone_is_one_line(tmp_path):
    for i in range(10):
        picture(tmp_path / "images" / "only" / f"{i}.png")
    options = ("data=image_folder", f"data.root={tmp_path / 'images'}", f"data.cache={tmp_path}")
    line = only_line(Command(tmp_path, "learn_views", "budget=smoke", *options))
    assert "mode=semi, unlike mode=unsup, needs at least 2 classes, got 1 (only)" in line


def test_colours_of_what_has_none_are_one_line(tmp_path):
    for name in ("train", "test"):
        np.save(tmp_path / f"{name}_images.npy", np.zeros((8, 4, 8, 8), np.uint8))
        np.save(tmp_path / f"{name}_labels.npy", np.arange(8) % 2)
    options = ("data=arrays", f"data.root={tmp_path}", "budget=smoke", "views=raw")
    line = only_line(Command(tmp_path, "pretrain", *options, "photometric=simclr"))
    assert line.startswith("photometric: saturation, hue, gray need 3 channels, R G B, got 4; set")
    line = only_line(Command(tmp_path, "pretrain", *options, "randaugment=infomin"))
    assert line.startswith("randaugment: color needs 3 channels, R G B, got 4; set randaugment=cmc")
    line = only_line(Command(tmp_path, "pretrain", *options, "randaugment=cmc"))
    assert line.startswith(
        "randaugment.fill: expected one number, or 4, one per channel, got [0.48"
    )
    for name in ("train", "test"):
        np.save(tmp_path / f"{name}_images.npy", np.zeros((8, 4, 8, 8), np.uint16))
    line = only_line(Command(tmp_path, "pretrain", *options, "randaugment=cmc"))
    assert line.startswith("randaugment: changes images within [0, 1], data test_colours")
    assert "has values within [0.0, 65535.0]; set randaugment=none, or views.combine" in line


def test_an_output_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "runs").touch()
    line = only_line(Command(tmp_path, "learn_views", *SMALL, "labels.share=1"))
    assert f"{tmp_path}/runs/learn_views: this folder cannot be written" in line


def test_a_full_disk_in_the_middle_of_a_run_is_one_line(tmp_path):
    script = Script(
        tmp_path, "learn_views", *SMALL, "labels.share=1", "save_every=0", file_limit=100_000
    )
    assert script.wait() == 2
    errors = [line for line in script.err.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in script.err
    assert len(errors) == 1
    (run,) = script.folders
    assert f"{run}/checkpoint.pt: could not be written (File too large)" in errors[0]
    assert not list(run.glob(".*"))
    assert not (run / "checkpoint.pt").exists()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("learn_views", ("mode=unsup", "budget.patch=8", "game.batch=2", "game.steps=2")),
        ("pretrain", ("views=raw", "pretrain.batch=8")),
        ("pretrain", ("views=frequency", "pretrain.batch=6", "encoder.size=8")),
    ],
)
def test_a_handful_of_images_is_no_error(tmp_path, name, options):
    """Nor is a folder without labels, where none are needed."""
    data = ["data=scenes", "data.train=8", "data.test=3"]
    if "views=raw" not in options:
        for i in range(8):
            picture(tmp_path / "images" / f"{i}.png")
        data = ["data=image_folder", f"data.root={tmp_path / 'images'}", f"data.cache={tmp_path}"]
    script = Command(tmp_path, name, *data, "budget=smoke", "budget.size=8", *options)
    assert script.wait() == 0, script.err
    assert "Traceback" not in script.err
    (run,) = script.folders
    assert (run / "result.json").exists()


def test_a_script_started_by_hand_does_the_same(tmp_path):
    command = [sys.executable, SCRIPTS / "learn_views.py", *SMALL, f"out={tmp_path}", "mode=foo"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert ended.returncode == 2
    *started, error = ended.stderr.splitlines()
    assert all(line.startswith("infomin learn-views: loading libraries") for line in started)
    assert error == "error: mode: expected one of semi, sup, unsup, got 'foo'"
    assert ended.stdout == ""
    assert list(tmp_path.iterdir()) == []
