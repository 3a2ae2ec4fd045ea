"""The stages one after another, as the README tells, joined by nothing but what they save."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from rooms import write
from running import Command

from infomin import load_encoder, load_generator
from infomin.core.files import read_json
from infomin.information import Estimate
from infomin.runs.lookup import RESULT

pytestmark = [pytest.mark.usefixtures("single"), pytest.mark.slow]

DATA = ("data=scenes", "data.train=96", "data.test=48", "budget=smoke", "budget.size=16")
GAME = (*DATA, "labels.share=1", "game.batch=16", "game.labelled_batch=16")
PRETRAIN = (*DATA, "pretrain.epochs=1", "pretrain.batch=32")


def run(folder, name, *overrides):
    """Run a command to its end."""
    command = Command(folder, name, *overrides)
    assert command.code == 0, command.err
    return command


def result(command, run=-1):
    return read_json(command.folders[run] / RESULT)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folder of runs of one game and of one pretraining on its views."""
    return tmp_path_factory.mktemp("stages")


@pytest.fixture(scope="module")
def game(runs):
    """A game whose labels choose among three generators."""
    few = ("game.steps=6", "keep=3", "selection.epochs=1", "selection.folds=2")
    return run(runs, "learn_views", *GAME, *few, "select=sweet_spot")


@pytest.fixture(scope="module")
def trained(runs, game):
    """Encoders of 12 pixels of the views of the game."""
    own = ("pretrain.temperature=0.3", "encoder.size=12", "views.table=true", "keep=2")
    return run(runs, "pretrain", *PRETRAIN, *own)


def test_the_labels_choose_among_generators_kept_along_the_game(runs, game):
    assert "I_NCE held out" in game.out and "picture:" in game.out
    told = [line for line in game.err.splitlines() if line.endswith(" nats")]
    assert [line.partition(":")[0] for line in told] == [f"candidate {i}" for i in (1, 2, 3)]
    assert "held-out labels" in game.out
    (folder,), chosen = game.folders, result(game)
    steps = [candidate["step"] for candidate in chosen["candidates"]]
    assert sorted(int(path.name) for path in (folder / "along").iterdir()) == steps == [2, 4, 6]
    assert chosen["selected"] in steps and chosen["class_accuracy"] == []
    kept = load_generator(folder / "along" / f"{chosen['selected']:07d}").state_dict()
    saved = load_generator(folder / "generator").state_dict()
    assert all((saved[name] == kept[name]).all() for name in saved)
    early = run(
        runs / "early", "pretrain", *PRETRAIN, f"views.runs={runs / 'runs'}", "views.at=0.3"
    )
    assert str(folder / "along" / "0000002") in early.out


def test_learned_views_are_pretrained_on_and_evaluated(runs, game, trained):
    assert "g is looked up in its table of 2^24 colours" in trained.out
    assert str(game.folders[0] / "generator") in trained.out, "it says which generator it took"
    assert result(trained)["generator"]["objective"] == "semi"
    (folder,) = trained.folders
    kept = [load_encoder(path).state_dict() for path in sorted((folder / "along").iterdir())]
    final = load_encoder(folder / "encoder").state_dict()
    same = [all(torch.equal(final[name], weights[name]) for name in final) for weights in kept]
    assert same == [False, True], "the last one is the encoder"
    assert "protocol: linear" in trained.out
    evaluated = run(runs, "linear_eval")
    assert "data as in the training of" in evaluated.out, "what a run knows is not asked again"
    assert result(evaluated)["data"] == "scenes"
    # a table rounds resized images to 8 bits: one image of 48 may change its class
    assert result(evaluated)["top1"] == pytest.approx(result(trained)["top1"], abs=1.1 / 48)
    assert result(evaluated)["layers"] == {}
    data = ("data=photos", "data.train=64", "data.test=32", *DATA[3:])
    layers = ("probe.tap=conv2", "layers=true", "only_views=[1]")
    encoder = f"pretrained={trained.folders[0] / 'encoder'}"
    tapped = run(runs, "linear_eval", *data, *layers, encoder)
    assert "tap conv2" in tapped.out and "trained on scenes, not on photos" in tapped.out
    measured = result(tapped)["layers"]
    assert [*measured] == ["conv1", "conv2", "conv3", "conv4"]
    assert measured["conv2"]["top1"] == result(tapped)["top1"]
    assert result(tapped)["views"].endswith("-view-2") and "conv4  " in tapped.out


def test_the_newest_generator_is_exported_with_its_training(runs, game, tmp_path):
    to = (f"folder={tmp_path / 'mine'}", "images=16", "formats=[torch_export]")
    run(runs, "export_generator", *to)
    assert load_generator(tmp_path / "mine").view_channels == (1, 2)
    assert (tmp_path / "mine" / "generator.pt2").is_file()
    card = read_json(tmp_path / "mine" / "card.json")["training"]
    assert card["objective"] == "semi" and card["seed"] == 0 and card["i_nce"]["value"] is not None
    assert {"data", "steps", "collapsed", "check"} <= card.keys()
    assert [step for step, _ in card["curve"]] == [card["steps"]]


def test_patches_of_photographs_without_labels_are_judged_elsewhere(tmp_path):
    (tmp_path / "large").mkdir()
    for i in range(8):
        height, width = (60, 40) if i % 2 else (40, 60)
        noise = np.random.default_rng(i).integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(noise).save(tmp_path / "large" / f"{i}.png")
    data = ("data=windows", f"data.root={tmp_path / 'large'}", f"data.cache={tmp_path / 'cache'}")
    data += ("data.size=32", "data.each=8", "budget=smoke", "budget.size=16", "pretrain.batch=32")
    trained = run(tmp_path, "pretrain", *data, "views=patches", "views.distance=12")
    assert "data large has no labels: no linear probe and no kNN" in trained.out
    assert "top1" not in result(trained) and result(trained)["i_nce"]["images"] == 16
    evaluated = run(tmp_path, "linear_eval", *DATA)
    assert result(evaluated)["top1"] > 0


def test_rooms_are_segmented_by_learned_views_and_by_brightness_alone(trained, tmp_path):
    write(tmp_path / "rooms", train=8, test=8)
    rooms = (f"data.root={tmp_path / 'rooms'}", "budget=smoke")
    frames = (*rooms, "data.height=24", "data.width=32")
    encoder = f"pretrained={trained.folders[0] / 'encoder'}"
    colors = run(tmp_path, "segment", *frames, "segment.batch=4", encoder)
    assert "trained on scenes, not on nyuv2" in colors.out and "mean IoU" in colors.out
    accuracy = result(colors)
    assert 0 < accuracy["pixel_accuracy"] <= 1 and accuracy["chance"]["mean_iou"] > 0
    assert (colors.folders[0] / "pictures" / "segmentation.png").stat().st_size > 5000
    refused = Command(tmp_path, "segment", *frames, "data.channels=rgbd", encoder)
    assert refused.code == 2 and "takes 3 channels within [0.0, 1.0]" in refused.err

    cut = ("data=nyuv2", "data.patch=24", "data.per_class=2", f"data.cache={tmp_path / 'cache'}")
    few = ("budget.size=16", "pretrain.epochs=1", "pretrain.batch=32")
    sensors = (*cut, *rooms, *few, "views=modalities", "views.names=[L,ab,normals]", "graph=core")
    frames += ("data.channels=rgbd", "segment.batch=4", "only_views=[0]")
    of_sensors = run(tmp_path, "pretrain", *sensors)
    assert result(of_sensors)["views"] == "L-ab-normals"
    assert "I_NCE held out, of views 1 and 2: " in of_sensors.out
    assert result(run(tmp_path, "segment", *frames))["views"] == "L-ab-normals-view-1"
    untrained = run(tmp_path, "pretrain", *sensors, "pretrain.epochs=0")
    assert result(untrained)["i_nce"] is None and "not trained by a contrast" in untrained.out
    along = run(tmp_path, "segment", *frames, "segment.frozen=false")
    assert "trained along with it" in along.out


@pytest.mark.parametrize(
    "options",
    [
        ("memory=bank", "memory.negatives=32", "loss=logistic", "loss.every=2"),
        ("memory=queue", "memory.size=32", "loss=triplet", "graph=core", "pair_weights=[2]"),
    ],
    ids=["bank", "queue"],
)
def test_pretraining_with_another_loss_and_a_memory(tmp_path, options):
    trained = run(tmp_path, "pretrain", *PRETRAIN, "views=raw", *options)
    assert "/3.50" in trained.err and result(trained)["top1"] > 0  # log 33


def test_views_are_predicted_from_one_another(tmp_path):
    views = ("views=whole", "views.number=3", "views.crops=shared", "loss=l2", "graph=core")
    trained = run(tmp_path, "pretrain", *PRETRAIN, *views, "pair_weights=[1,2]")
    assert "I_NCE" not in trained.err + trained.out
    assert "error of predicted pixels, held out: view 2 from view 1" in trained.out
    saved, (folder,) = result(trained), trained.folders
    assert saved["i_nce"] is None and saved["top1"] > 0 and saved["trained_by"] == "l2"
    directions = [(error["source"], error["view"]) for error in saved["predictions"]]
    assert directions == [(1, 2), (2, 1), (1, 3), (3, 1)]
    with Image.open(folder / "pictures" / "predictions.png") as image:
        assert min(image.size) > 100
    step, monitor = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines()[-2:])
    assert step.keys() == {"step", "loss", "rate", "data_seconds"}
    features = (f"feature_{name}" for name in ("rank", "deviation", "directions"))
    names = ("epoch", *features, "knn", "probe")
    assert monitor.keys() == {"step", *(f"monitor/{name}" for name in names)}
    encoder = f"pretrained={folder / 'encoder'}"
    estimate = Command(tmp_path, "estimate_information", *PRETRAIN, encoder)
    assert estimate.code == 2 and "was by loss=l2, which does not train emb" in estimate.err


def test_several_seeds_in_one_command(tmp_path):
    games = run(tmp_path, "learn_views", "-m", "seed=0,1", "mode=unsup", *GAME, "game.steps=2")
    assert sorted(result(games, i)["seed"] for i in (0, 1)) == [0, 1]


def test_a_grid_runs_once_plays_one_game_a_seed_and_writes_its_table(tmp_path):
    document = tmp_path / "results.md"
    document.write_text("<!-- combine-smoke -->\n<!-- /combine-smoke -->\n")
    grid = ("experiment=combine", "data=scenes", "data.train=160", "data.test=128", "budget=smoke")
    grid += ("budget.size=16", "budget.game.labelled_batch=8", "budget.game.steps=4", "seeds=[0]")
    grid += ("rows=[[rgb,semi,half],[rgb,whole,L2],[rgb,semi,crop]]", "against=[rgb,semi,crop]")
    grid += ('+augmentations.half=["views.combine.p=0.5"]', "jobs=2", f"write=[{document}]")
    grid += ('+augmentations.L2=["views.crops=shared","loss=l2"]',)
    first = run(tmp_path, "report", *grid)
    assert "3 cells, 0 done before" in first.err and "linear probe, top-1" in first.err
    table = [line.split() for line in first.out.splitlines() if line.startswith("rgb ")]
    assert [row[1:3] for row in table] == [["semi", "half"], ["whole", "L2"], ["semi", "crop"]]
    assert [row[6] == "-" for row in table] == [False, True, False], "a prediction has no I_NCE"
    assert "| rgb | semi | half |" in document.read_text()
    assert (tmp_path / "images" / "combine-smoke.png").stat().st_size > 5000

    cells = tmp_path / "runs" / "report" / "cells" / "scenes-smoke"
    (played,) = cells.glob("*/learn_views/*")
    assert played.parent.parent == cells / "rgb-semi-s0"
    half = (cells / "rgb-semi-half-s0" / "log.txt").read_text()
    assert f"generator {played / 'generator'}, trained on scenes" in half
    assert "g is computed" in half, "its table has more colours than the run pixels"
    again = run(tmp_path, "report", *grid)
    assert "3 cells, 3 done before" in again.err and again.out == first.out


def test_information_of_views_of_an_encoder_and_of_known_distributions(trained, tmp_path):
    estimate = (*PRETRAIN, "data.test=128", "k=[16,64]")
    raw = run(tmp_path, "estimate_information", *estimate, "views=raw")
    lines = [line.split(":")[0] for line in raw.out.splitlines()]
    assert lines[:3] == ["I_NCE(v1; v2), K = 16", "I_NCE(v1; v2), K = 64", "result"]
    assert "nats, sampling interval" in raw.out and "cap 4.16" in raw.out
    i_nce = result(raw)["i_nce"]
    assert all(row["flags"] == [*Estimate.from_record(row).flags] for row in i_nce)
    assert [row["k"] for row in i_nce] == [16, 64] and i_nce[0]["value"] <= i_nce[0]["cap"]

    encoder = f"pretrained={trained.folders[0] / 'encoder'}"
    named = run(tmp_path, "estimate_information", *estimate, encoder, "unit=bits")
    assert "trained on scenes" in named.out and "bits, sampling interval" in named.out
    assert result(named)["temperature"] == 0.3, "its own, and the crops of its own size"

    document = tmp_path / "results.md"
    document.write_text("<!-- calibration -->\n<!-- /calibration -->\n")
    small = [f"calibration.{word}" for word in ("steps=2", "batch=16", "k=64", "anchors=16")]
    test = run(tmp_path, "estimate_information", "self_test=true", *small, f"write=[{document}]")
    assert len(result(test)["rows"]) == 11
    assert "| mixture, 2 dimensions | 1.33 |" in document.read_text()
    assert (test.folders[-1] / "pictures" / "calibration.png").stat().st_size > 5000
