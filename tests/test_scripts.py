"""The stages one after another, as the README tells, joined by nothing but what they save."""

import json

import numpy as np
import pytest
from PIL import Image
from rooms import write
from running import Script

from infomin import load_generator
from infomin.core.files import read_json
from infomin.runs.folder import RESULT

DATA = ("data=scenes", "data.train=96", "data.test=48", "budget=smoke", "budget.size=16")
GAME = (*DATA, "labels.share=1", "game.steps=6", "game.batch=16", "game.labelled_batch=16")
PRETRAIN = (*DATA, "pretrain.epochs=1", "pretrain.batch=32", "probe.epochs=1")


def result(script, which=-1):
    return read_json(script.folders[which] / RESULT)


@pytest.mark.slow
def test_learn_pretrain_judge_export(tmp_path):
    game = Script(tmp_path, "learn_views", *GAME)
    assert game.wait() == 0, game.err
    assert "I_NCE held out" in game.out and "picture:" in game.out

    trained = Script(tmp_path, "pretrain", *PRETRAIN, "views.table=true")
    assert trained.wait() == 0, trained.err
    assert "g is looked up in its table of 2^24 colours" in trained.out
    assert str(game.folders[0] / "generator") in trained.out, "it says which generator it took"
    assert result(trained)["generator"]["objective"] == "semi"
    assert "protocol: linear" in trained.out

    judged = Script(tmp_path, "linear_eval", *DATA, "probe.epochs=1")
    assert judged.wait() == 0, judged.err
    assert result(judged)["top1"] == pytest.approx(result(trained)["top1"])
    assert result(judged)["layers"] == {}
    told = ("probe.epochs=1", "probe.tap=conv2", "layers=true", "only_views=[1]")
    tapped = Script(tmp_path, "linear_eval", *DATA, *told)
    assert tapped.wait() == 0 and "tap conv2" in tapped.out, tapped.err
    layers = result(tapped)["layers"]
    assert [*layers] == ["conv1", "conv2", "conv3", "conv4"]
    assert layers["conv2"]["top1"] == result(tapped)["top1"]
    assert result(tapped)["views"].endswith("-view-2") and "conv4  " in tapped.out

    other = ("data=photos", "data.train=64", "data.test=32", *DATA[3:], "probe.epochs=1")
    named = Script(tmp_path, "linear_eval", *other, f"pretrained={trained.folders[0] / 'encoder'}")
    assert named.wait() == 0, named.err
    assert "trained on scenes, not on photos" in named.out

    to = (f"folder={tmp_path / 'mine'}", "images=16", "formats=[torch_export]")
    exported = Script(tmp_path, "export_generator", *to)
    assert exported.wait() == 0, exported.err
    assert load_generator(tmp_path / "mine").view_channels == (1, 2)
    card = json.loads((tmp_path / "mine" / "card.json").read_text())["training"]
    assert card["objective"] == "semi" and card["seed"] == 0 and card["i_nce"]["value"] is not None
    assert {"data", "steps", "collapsed", "check"} <= card.keys()
    assert (tmp_path / "mine" / "generator.pt2").is_file()
    assert [step for step, _ in card["curve"]] == [card["steps"]]


@pytest.mark.slow
def test_patches_of_photographs_without_labels_are_judged_elsewhere(tmp_path):
    for i in range(8):
        height, width = (60, 40) if i % 2 else (40, 60)
        noise = np.random.default_rng(i).integers(0, 256, (height, width, 3), np.uint8)
        (tmp_path / "large").mkdir(exist_ok=True)
        Image.fromarray(noise).save(tmp_path / "large" / f"{i}.png")
    told = ("data=windows", f"data.root={tmp_path / 'large'}", f"data.cache={tmp_path / 'cache'}")
    told += ("data.size=32", "data.each=8", "budget=smoke", "budget.size=16", "pretrain.batch=32")
    trained = Script(tmp_path, "pretrain", *told, "views=patches", "views.distance=12")
    assert trained.wait() == 0, trained.err
    assert "data large has no labels: no linear probe and no kNN" in trained.out
    assert "top1" not in result(trained) and result(trained)["i_nce"]["images"] == 16
    judged = Script(tmp_path, "linear_eval", *DATA, "probe.epochs=1")
    assert judged.wait() == 0, judged.err
    assert "trained on large, not on scenes" in judged.out and result(judged)["top1"] > 0


@pytest.mark.slow
def test_sensors_as_views_judged_by_brightness_alone(tmp_path):
    write(tmp_path / "rooms", train=8, test=8)
    rooms = (f"data.root={tmp_path / 'rooms'}", "budget=smoke")
    cut = ("data=nyuv2", "data.patch=24", "data.per_class=2", f"data.cache={tmp_path / 'cache'}")
    few = ("budget.size=16", "pretrain.epochs=1", "pretrain.batch=32", "probe.epochs=1")
    told = ("views=modalities", "views.names=[L,ab,normals]", "graph=core")
    trained = Script(tmp_path, "pretrain", *cut, *rooms, *few, *told)
    assert trained.wait() == 0, trained.err
    assert result(trained)["views"] == "L-ab-normals"
    assert "I_NCE held out, of views 1 and 2: " in trained.out
    frames = ("data.height=24", "data.width=32", "data.channels=rgbd", "segment.batch=4")
    judged = Script(tmp_path, "segment", *rooms, *frames, "only_views=[0]")
    assert judged.wait() == 0, judged.err
    assert result(judged)["views"] == "L-ab-normals-view-1"
    untrained = Script(tmp_path, "pretrain", *cut, *rooms, *few, "pretrain.epochs=0", *told)
    assert untrained.wait() == 0, untrained.err
    assert result(untrained)["i_nce"] is None and "not trained by a contrast" in untrained.out
    judged = Script(tmp_path, "segment", *rooms, *frames, "only_views=[0]", "segment.frozen=false")
    assert judged.wait() == 0, judged.err
    assert "trained along with it" in judged.out


@pytest.mark.slow
@pytest.mark.parametrize(
    "told",
    [
        ("memory=bank", "memory.negatives=32", "loss=logistic", "loss.every=2"),
        ("memory=queue", "memory.size=32", "loss=triplet", "graph=core", "pair_weights=[2]"),
    ],
    ids=["bank", "queue"],
)
def test_pretraining_with_another_loss_and_a_memory(tmp_path, told):
    trained = Script(tmp_path, "pretrain", *PRETRAIN, "views=raw", *told)
    assert trained.wait() == 0, trained.err
    assert "/3.50" in trained.err and result(trained)["top1"] > 0  # log 33
    refused = Script(tmp_path, "pretrain", *PRETRAIN, "views=raw", "memory=bank")
    assert refused.wait() == 2
    assert (
        "memory.negatives: expected 1..64, the number of samples that are no positives"
        in refused.err
    )


@pytest.mark.slow
def test_views_are_predicted_from_one_another(tmp_path):
    told = ("views=whole", "views.number=3", "views.crops=shared", "loss=l2", "graph=core")
    trained = Script(tmp_path, "pretrain", *PRETRAIN, *told, "pair_weights=[1,2]")
    assert trained.wait() == 0, trained.err
    assert "I_NCE" not in trained.err + trained.out
    assert "error of predicted pixels, held out: view 2 from view 1" in trained.out
    found = result(trained)
    assert found["i_nce"] is None and found["top1"] > 0 and found["trained_by"] == "l2"
    ways = [(told["source"], told["view"]) for told in found["predictions"]]
    assert ways == [(1, 2), (2, 1), (1, 3), (3, 1)]
    (run,) = trained.folders
    with Image.open(run / "pictures" / "predictions.png") as image:
        assert min(image.size) > 100
    logged, look = map(json.loads, (run / "metrics.jsonl").read_text().splitlines()[-2:])
    assert logged.keys() == {"step", "loss", "rate", "data_seconds"}
    of_features = (f"feature_{name}" for name in ("rank", "deviation", "directions"))
    seen = ("epoch", *of_features, "knn", "probe")
    assert look.keys() == {"step", *(f"monitor/{name}" for name in seen)}
    judged = Script(tmp_path, "linear_eval", *DATA, "probe.epochs=1")
    assert judged.wait() == 0, judged.err
    assert result(judged)["top1"] == pytest.approx(found["top1"])
    shared = (*PRETRAIN, f"pretrained={run / 'encoder'}")
    estimate = Script(tmp_path, "estimate_information", *shared)
    assert estimate.wait() == 2 and "was by loss=l2, which does not train emb" in estimate.err


@pytest.mark.slow
def test_a_grid_holds_contrast_against_prediction(tmp_path):
    told = ["experiment=predictive", "data=scenes", "data.train=160", "data.test=128", "jobs=2"]
    told += ["budget=smoke", "budget.size=16", "seeds=[0]", "against=[lab,raw,contrast]"]
    told += ["rows=[[lab,raw,random],[lab,raw,contrast],[lab,raw,L1],[lab,raw,L2]]"]
    grid = Script(tmp_path, "report", *told)
    assert grid.wait() == 0, grid.err
    table = [line.split() for line in grid.out.splitlines() if line.startswith("lab ")]
    assert [row[2] for row in table] == ["random", "contrast", "L1", "L2"]
    assert [row[6] == "-" for row in table] == [True, False, True, True]
    assert "linear probe, top-1" in grid.err


@pytest.mark.slow
def test_segmentation_of_the_newest_encoder(tmp_path):
    trained = Script(tmp_path, "pretrain", *PRETRAIN, "views=frequency")
    assert trained.wait() == 0, trained.err
    write(tmp_path / "rooms", train=8, test=8)
    told = (f"data.root={tmp_path / 'rooms'}", "data.height=24", "data.width=32", "budget=smoke")
    judged = Script(tmp_path, "segment", *told, "segment.batch=4")
    assert judged.wait() == 0, judged.err
    assert "trained on scenes, not on nyuv2" in judged.out and "mean IoU" in judged.out
    found = result(judged)
    assert 0 < found["pixel_accuracy"] <= 1 and found["chance"]["mean_iou"] > 0
    assert (judged.folders[0] / "pictures" / "segmentation.png").stat().st_size > 5000
    deep = Script(tmp_path, "segment", *told, "data.channels=rgbd")
    assert deep.wait() == 2 and "takes 3 channels within [0.0, 1.0]" in deep.err


@pytest.mark.slow
def test_several_seeds_in_one_command(tmp_path):
    game = Script(tmp_path, "learn_views", "-m", "seed=0,1", "mode=unsup", *GAME)
    assert game.wait() == 0, game.err
    assert sorted(result(game, i)["seed"] for i in (0, 1)) == [0, 1]


@pytest.mark.slow
def test_a_grid_runs_once_and_writes_its_table(tmp_path):
    document = tmp_path / "results.md"
    document.write_text("<!-- demo-smoke -->\n<!-- /demo-smoke -->\n")
    told = ["experiment=demo", "data=scenes", "data.train=160", "data.test=128", "budget=smoke"]
    told += [
        "budget.size=16",
        "budget.game.labelled_batch=8",
        "budget.game.steps=4",
        "jobs=1",
        f"write=[{document}]",
    ]
    first = Script(tmp_path, "report", *told)
    assert first.wait() == 0, first.err
    assert "2 cells, 0 done before" in first.err and "| rgb | semi |" in document.read_text()
    (log,) = tmp_path.rglob("rgb-semi-s0/log.txt")
    assert "g is computed" in log.read_text(), "its table has more colours than the run pixels"
    assert (tmp_path / "images" / "demo-smoke.png").stat().st_size > 5000
    again = Script(tmp_path, "report", *told)
    assert again.wait() == 0 and "2 cells, 2 done before" in again.err
    assert again.out == first.out


@pytest.mark.slow
def test_a_grid_of_augmentations_plays_one_game_a_seed(tmp_path):
    told = ["experiment=combine", "data=scenes", "data.train=160", "data.test=128", "budget=smoke"]
    told += ["budget.size=16", "budget.game.labelled_batch=8", "budget.game.steps=4", "seeds=[0]"]
    told += ["rows=[[rgb,semi,half],[rgb,whole,expert],[rgb,semi,crop]]", "jobs=2"]
    told += ['+augmentations.half=["views.combine.p=0.5"]']
    first = Script(tmp_path, "report", *told)
    assert first.wait() == 0, first.err
    table = [line.split() for line in first.out.splitlines() if line.startswith("rgb ")]
    assert [row[1:3] for row in table] == [
        ["semi", "half"],
        ["whole", "expert"],
        ["semi", "crop"],
    ]
    cells = tmp_path / "runs" / "report" / "cells" / "scenes-smoke"
    (game,) = cells.glob("*/learn_views/*")
    assert game.parent.parent == cells / "rgb-semi-s0"
    half = (cells / "rgb-semi-half-s0" / "log.txt").read_text()
    assert f"generator {game / 'generator'}, trained on scenes" in half
    again = Script(tmp_path, "report", *told)
    assert again.wait() == 0 and "3 cells, 3 done before" in again.err
    assert again.out == first.out


@pytest.mark.slow
def test_information_of_views_and_of_what_is_known(tmp_path):
    told = (*PRETRAIN, "data.test=128", "k=[16,64]")
    raw = Script(tmp_path, "estimate_information", *told, "views=raw")
    assert raw.wait() == 0, raw.err
    assert [line.split(":")[0] for line in raw.out.splitlines()] == [
        "I_NCE(v1; v2), K = 16",
        "I_NCE(v1; v2), K = 64",
    ]
    assert "nats, cap 4.16" in raw.out
    found = result(raw)["i_nce"]
    assert [f["k"] for f in found] == [16, 64] and found[0]["value"] <= found[0]["cap"]

    own = ("pretrain.temperature=0.3", "encoder.size=12")
    trained = Script(tmp_path, "pretrain", *PRETRAIN, "views=raw", *own)
    assert trained.wait() == 0, trained.err
    encoder = f"pretrained={trained.folders[0] / 'encoder'}"
    named = Script(tmp_path, "estimate_information", *told, encoder, "unit=bits")
    assert named.wait() == 0, named.err
    assert "trained on scenes" in named.out and "bits, cap 6.00" in named.out
    assert result(named)["temperature"] == 0.3, "its own, and the crops of its own size"

    document = tmp_path / "results.md"
    document.write_text("<!-- calibration -->\n<!-- /calibration -->\n")
    small = [f"calibration.{word}" for word in ("steps=2", "batch=16", "k=64", "anchors=16")]
    test = Script(tmp_path, "estimate_information", "self_test=true", *small, f"write=[{document}]")
    assert test.wait() == 0, test.err
    assert len(result(test)["rows"]) == 11
    assert "| mixture, 2 dimensions | 1.33 |" in document.read_text()
    assert (test.folders[-1] / "pictures" / "calibration.png").stat().st_size > 5000


@pytest.mark.slow
def test_the_labels_choose_among_generators_kept_along_the_game(tmp_path):
    few = ("keep=3", "selection.epochs=1", "selection.folds=2", "select=sweet_spot")
    game = Script(tmp_path, "learn_views", *GAME, *few)
    assert game.wait() == 0, game.err
    assert game.err.count("candidate ") == 3 and "held-out labels" in game.out
    (run,) = game.folders
    assert sorted(path.name for path in (run / "along").iterdir()) == [
        "0000002",
        "0000004",
        "0000006",
    ]
    told = result(game)
    steps = [c["step"] for c in told["candidates"]]
    assert steps == [2, 4, 6] and told["selected"] in steps and told["class_accuracy"] == []
    chosen = load_generator(run / "along" / f"{told['selected']:07d}").state_dict()
    saved = load_generator(run / "generator").state_dict()
    assert all((saved[name] == chosen[name]).all() for name in saved)

    early = Script(tmp_path, "pretrain", *PRETRAIN, "views.at=0.3")
    assert early.wait() == 0, early.err
    assert str(run / "along" / "0000002") in early.out
