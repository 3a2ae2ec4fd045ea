"""A run that is killed or stopped, anywhere, goes on as if nothing had happened."""

import json
import shutil
import signal

import pytest
import torch
from PIL import Image
from running import Script
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from infomin import ViewGenerator
from infomin.core.rng import seeded

DATA = ("data=scenes", "data.train=64", "data.test=32", "budget=smoke", "budget.size=8")
TINY = {
    "learn_views": (
        *DATA,
        *("labels.share=1", "budget.patch=8", "estimator.widths=[4]", "estimator.pools=1"),
        *("game.steps=32", "game.batch=8", "game.labelled_batch=8", "game.average=0.9"),
    ),
    "pretrain": (
        *DATA,
        *("views=raw", "+encoder.widths=[4]", "+encoder.pools=1"),
        *("pretrain.epochs=4", "pretrain.batch=8", "probe.epochs=1", "monitor.every=2"),
    ),
}
STEPS = 32
PRODUCT = {"learn_views": "generator", "pretrain": "encoder"}
OFTEN, NEVER = "save_every=0", "save_every=1000"
scripts = pytest.mark.parametrize("name", ["learn_views", "pretrain"])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The run of each script that nothing disturbed."""
    runs = {}

    def run_once(name):
        if name not in runs:
            script = Script(tmp_path_factory.mktemp(name), name, *TINY[name])
            assert script.wait() == 0, script.err
            (runs[name],) = script.folders
        return runs[name]

    return run_once


def weights(run, name):
    return load_file(run / PRODUCT[name] / "model.safetensors")


def assert_same(run, expected, name):
    """Compare weights bit by bit, and everything else that was recorded but times."""
    a, b = weights(run, name), weights(expected, name)
    assert a.keys() == b.keys()
    assert all(a[key].equal(b[key]) for key in a)
    times = ("data_seconds", "seconds", "images_per_second", "waiting")
    for read in (read_result, read_metrics):
        pairs = zip(read(run), read(expected), strict=True)
        for x, y in pairs:
            assert {k: x[k] for k in x if k not in times} == {k: y[k] for k in y if k not in times}


def read_result(run):
    return [json.loads((run / "result.json").read_text())]


def read_metrics(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
@scripts
def test_a_run_killed_and_stopped_again_and_again_ends_as_an_undisturbed_one(
    tmp_path, undisturbed, name
):
    def disturb(step, number, *overrides):
        script = Script(tmp_path, name, *TINY[name], *overrides, signal_at=(step, number))
        code = script.wait()
        assert "Traceback" not in script.err
        (run,) = script.folders
        assert not (run / "result.json").exists()
        return run, code, script.err.splitlines()[-1]

    run, code, _ = disturb(14, signal.SIGKILL, NEVER)
    assert code == -signal.SIGKILL
    assert not (run / "checkpoint.pt").exists()
    assert [line["step"] for line in read_metrics(run)] == [10]

    _, code, _ = disturb(7, signal.SIGKILL, OFTEN, "resume=true")
    assert code == -signal.SIGKILL
    assert torch.load(run / "checkpoint.pt")["step"] == 7
    (run / ".checkpoint.pt.4711").write_bytes(b"cut off by a kill")
    (run / ".generator.a1b2").mkdir()
    (run / "metrics.jsonl").write_text('{"step": 10}\n{"step": 20, "lo')

    lasted = [torch.load(run / "checkpoint.pt")["seconds"]]
    for step, number in ((16, signal.SIGTERM), (23, signal.SIGINT)):
        _, code, said = disturb(step, number, "resume=true")
        assert code == 128 + number
        assert said == (
            f"stopped at step {step + 1} of {STEPS}, saved in {run}; resume=true goes on"
        )
        assert torch.load(run / "checkpoint.pt")["step"] == step + 1
        lasted.append(torch.load(run / "checkpoint.pt")["seconds"])
    assert 0 < lasted[0] < lasted[1] < lasted[2], "seconds count over resumptions"

    finished = Script(tmp_path, name, *TINY[name], f"resume={run}")
    assert finished.wait() == 0, finished.err
    assert finished.folders == [run]
    assert not list(run.glob(".*"))
    assert_same(run, undisturbed(name), name)
    told = json.loads((run / "provenance.json").read_text())
    assert [again["command"].split()[-1] for again in told["resumed"]] == [
        *["resume=true"] * 3,
        f"resume={run}",
    ]
    assert {again["hardware"] for again in told["resumed"]} == {told["hardware"]}


@pytest.mark.slow
def test_views_and_colours_drawn_after_a_resumption_are_those_of_an_undisturbed_run(tmp_path):
    with seeded(0, "test"):
        g = ViewGenerator(flow={"hidden": 8})
        for p in g.parameters():
            torch.nn.init.normal_(p, std=0.3)
    views = ("views=learned", f"views.generator={g.save(tmp_path / 'g')}", "views.table=false")
    told = (
        *(word for word in TINY["pretrain"] if word != "views=raw"),
        *(*views, "views.combine.p=0.5", "views.combine.order=before"),
        *("photometric=simclr", "photometric.blur=0.5", "randaugment=cmc"),
    )
    expected = Script(tmp_path / "whole", "pretrain", *told)
    stopped = Script(tmp_path, "pretrain", *told, signal_at=(13, signal.SIGTERM))
    assert (expected.wait(), stopped.wait()) == (0, 128 + signal.SIGTERM), expected.err
    resumed = Script(tmp_path, "pretrain", *told, "resume=true")
    assert resumed.wait() == 0, resumed.err
    assert_same(*resumed.folders, *expected.folders, "pretrain")


@pytest.mark.slow
def test_a_preset_of_augmentation_is_drawn_after_a_resumption_as_without(tmp_path):
    told = (*TINY["pretrain"], "augment=infomin_nojigsaw")
    expected = Script(tmp_path / "whole", "pretrain", *told)
    stopped = Script(tmp_path, "pretrain", *told, signal_at=(13, signal.SIGTERM))
    assert (expected.wait(), stopped.wait()) == (0, 128 + signal.SIGTERM), expected.err
    resumed = Script(tmp_path, "pretrain", *told, "resume=true")
    assert resumed.wait() == 0, resumed.err
    assert_same(*resumed.folders, *expected.folders, "pretrain")


@pytest.mark.slow
def test_a_prediction_that_was_stopped_ends_as_an_undisturbed_one(tmp_path):
    told = (*TINY["pretrain"], "views.crops=shared", "loss=l1", "pretrain.chunk=3")
    expected = Script(tmp_path / "whole", "pretrain", *told)
    stopped = Script(tmp_path, "pretrain", *told, signal_at=(13, signal.SIGINT))
    assert (expected.wait(), stopped.wait()) == (0, 128 + signal.SIGINT), expected.err
    (run,) = stopped.folders
    assert {*torch.load(run / "checkpoint.pt")["modules"]} == {"method"}
    resumed = Script(tmp_path, "pretrain", *told, "resume=true")
    assert resumed.wait() == 0, resumed.err
    assert_same(*resumed.folders, *expected.folders, "pretrain")


@pytest.mark.slow
@scripts
def test_a_run_killed_after_its_training_only_ends(tmp_path, undisturbed, name):
    run = tmp_path / "runs" / name / "run"
    shutil.copytree(undisturbed(name), run)
    (run / "result.json").unlink()
    script = Script(tmp_path, name, *TINY[name], "resume=true")
    assert script.wait() == 0, script.err
    assert_same(run, undisturbed(name), name)


@pytest.mark.slow
@scripts
def test_a_run_folder_is_complete(undisturbed, name):
    run = undisturbed(name)
    assert {path.name.split(".out.")[0] for path in run.iterdir()} == {
        *("config.yaml", "provenance.json", "metrics.jsonl", "events", "checkpoint.pt"),
        *("result.json", "pictures", PRODUCT[name]),
    }
    told = json.loads((run / "provenance.json").read_text())
    assert told.keys() == {"command", "commit", "started", "versions", "hardware"}
    assert told["versions"].keys() == {"infomin", "python", "torch", "torchvision"}
    assert told["command"].startswith(f"python scripts/{name}.py out=")
    assert all(told.values())
    assert told["hardware"].endswith((", 32-true", ", bf16-mixed"))
    config = (run / "config.yaml").read_text()
    assert "seed: 0\n" in config and "${" not in config and "save_every" not in config
    result = json.loads((run / "result.json").read_text())
    assert result["seconds"] > 0 and result["images_per_second"] > 0
    assert result["i_nce"]["low"] <= result["i_nce"]["value"] <= result["i_nce"]["high"]
    card = json.loads((run / PRODUCT[name] / "card.json").read_text())
    assert card["training"] == {k: v for k, v in result.items() if k != "seconds"}
    for picture in (run / "pictures").iterdir():
        with Image.open(picture) as image:
            assert image.format == "PNG" and min(image.size) > 100


@pytest.mark.slow
@scripts
def test_metrics_are_the_same_in_both_logs_with_steps_ascending(undisturbed, name):
    lines = [line for line in read_metrics(undisturbed(name)) if "loss" in line]
    assert [line["step"] for line in lines] == [10, 20, 30, STEPS]
    events = EventAccumulator(str(undisturbed(name))).Reload()
    scalars = events.Scalars("loss")
    assert [event.step for event in scalars] == [line["step"] for line in lines]
    assert [event.value for event in scalars] == pytest.approx([line["loss"] for line in lines])
    assert "views" in events.Tags()["images"]


@pytest.mark.slow
def test_looks_at_the_encoder_are_logged_and_the_last_is_kept(tmp_path, undisturbed):
    run = undisturbed("pretrain")
    looks = [line for line in read_metrics(run) if "loss" not in line]
    assert [(look["step"], look["monitor/epoch"]) for look in looks] == [(16, 2), (STEPS, 4)]
    (result,) = read_result(run)
    last = {name.removeprefix("monitor/"): value for name, value in looks[-1].items()}
    assert result["monitor"] == {n: v for n, v in last.items() if n != "step"}
    assert {"knn", "probe", "alignment", "rank_2", "feature_rank"} <= result["monitor"].keys()
    assert result["collapsed"] == []
    events = EventAccumulator(str(run)).Reload()
    assert [event.step for event in events.Scalars("monitor/knn")] == [16, STEPS]


@pytest.mark.slow
def test_a_training_that_is_not_watched_ends_in_the_same_numbers(tmp_path, undisturbed):
    alone = Script(tmp_path, "pretrain", *TINY["pretrain"], "monitor.every=0")
    assert alone.wait() == 0 and "alignment" not in alone.err, alone.err
    (run,) = alone.folders
    ours, theirs = weights(run, "pretrain"), weights(undisturbed("pretrain"), "pretrain")
    assert all(ours[name].equal(theirs[name]) for name in theirs)
    (told,), (expected,) = read_result(run), read_result(undisturbed("pretrain"))
    assert expected.keys() - told.keys() == {"monitor", "collapsed"}
    assert all(told[name] == expected[name] for name in ("i_nce", "top1", "knn", "validation"))


@pytest.mark.slow
def test_collapse_is_said_once_when_it_happens_and_kept(tmp_path):
    told = (*TINY["pretrain"], "optimizer.lr=0", "pretrain.temperature=1000", "monitor.every=1")
    script = Script(tmp_path, "pretrain", *told)
    assert script.wait() == 0, script.err
    said = [line for line in script.err.splitlines() if line.startswith("warning: ")]
    assert len(said) == 1 and said[0].startswith(
        "warning: the loss is at log K: I_NCE 0.00 of 2.08"
    )
    ((result,), (run,)) = (read_result(script.folders[0]), script.folders)
    assert result["collapsed"] == [said[0].replace("warning", "since epoch 1")]
    assert "warning" not in (run / "metrics.jsonl").read_text()


@pytest.mark.slow
def test_the_newest_run_of_the_same_configuration_is_resumed_and_no_other(tmp_path, undisturbed):
    expected = undisturbed("learn_views")
    runs = tmp_path / "runs" / "learn_views"
    for i, name in enumerate(("20260101-000000", "20260102-000000", "20260103-000000")):
        shutil.copytree(expected, runs / name)
        (runs / name / "result.json").unlink()
        if i == 2:
            other = (runs / name / "config.yaml").read_text().replace("seed: 0", "seed: 1")
            (runs / name / "config.yaml").write_text(other)
    script = Script(tmp_path, "learn_views", *TINY["learn_views"], "resume=true")
    assert script.wait() == 0, script.err
    assert [path.parent.name for path in runs.glob("*/result.json")] == ["20260102-000000"]
