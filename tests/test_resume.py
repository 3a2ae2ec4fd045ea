"""A run that is killed or stopped continues to the results of an undisturbed run."""

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
        *("game.steps=16", "game.batch=8", "game.labelled_batch=8", "game.average=0.9"),
    ),
    "pretrain": (
        *DATA,
        *("views=raw", "+encoder.widths=[4]", "+encoder.pools=1"),
        *("pretrain.epochs=4", "pretrain.batch=16", "monitor.every=2"),
    ),
}
STEPS = 16
PRODUCT = {"learn_views": "generator", "pretrain": "encoder"}
OFTEN, NEVER = "save_every=0", "save_every=1000"
scripts = pytest.mark.parametrize("name", ["learn_views", "pretrain"])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Return the run of a script without disturbance."""
    runs = {}

    def run_once(name):
        if name not in runs:
            runs[name] = finish(tmp_path_factory.mktemp(name), name)
        return runs[name]

    return run_once


def weights(run, name):
    return load_file(run / PRODUCT[name] / "model.safetensors")


def assert_same(run, expected, name):
    """Compare weights bit by bit, and everything else in the records except times."""
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


def disturb(folder, name, step, number, *overrides):
    """Send a signal to a script after a step; return its run and its last words."""
    script = Script(folder, name, *TINY[name], *overrides, signal_at=(step, number))
    code = script.wait()
    assert code == (-number if number == signal.SIGKILL else 128 + number), script.err
    assert "Traceback" not in script.err
    (run,) = script.folders
    assert not (run / "result.json").exists()
    return run, script.err.splitlines()[-1:]


def finish(folder, name, *overrides):
    script = Script(folder, name, *TINY[name], *overrides)
    assert script.wait() == 0, script.err
    (run,) = script.folders
    return run


@pytest.mark.slow
def test_a_game_killed_before_its_first_checkpoint_and_stopped_ends_as_an_undisturbed_one(
    tmp_path, undisturbed
):
    name = "learn_views"
    run, _ = disturb(tmp_path, name, 12, signal.SIGKILL, NEVER)
    assert not (run / "checkpoint.pt").exists()
    assert [line["step"] for line in read_metrics(run)] == [10]
    _, (text,) = disturb(tmp_path, name, 7, signal.SIGTERM, "resume=true")
    assert text == f"stopped at step 8 of {STEPS}, saved in {run}; resume=true goes on"
    (run / ".checkpoint.pt.4711").write_bytes(b"cut off by a kill")
    (run / ".generator.a1b2").mkdir()
    (run / "metrics.jsonl").write_text('{"step": 10}\n{"step": 20, "lo')
    assert finish(tmp_path, name, f"resume={run}") == run
    assert not list(run.glob(".*"))
    assert_same(run, undisturbed(name), name)
    provenance = json.loads((run / "provenance.json").read_text())
    commands = [resumed["command"].split()[-1] for resumed in provenance["resumed"]]
    assert commands == ["resume=true", f"resume={run}"]
    hardware = {resumed["hardware"] for resumed in provenance["resumed"]}
    assert hardware == {provenance["hardware"]}


@pytest.mark.slow
def test_a_killed_and_stopped_pretraining_ends_as_an_undisturbed_one(tmp_path, undisturbed):
    run, _ = disturb(tmp_path, "pretrain", 5, signal.SIGKILL, OFTEN)
    saved = torch.load(run / "checkpoint.pt")
    assert 0 < saved["step"] <= 5 and saved["seconds"] > 0, "the last one that was complete"
    disturb(tmp_path, "pretrain", 11, signal.SIGINT, "resume=true")
    again = torch.load(run / "checkpoint.pt")
    assert again["step"] == 12 and again["seconds"] > saved["seconds"]
    finish(tmp_path, "pretrain", "resume=true")
    assert_same(run, undisturbed("pretrain"), "pretrain")


@pytest.mark.slow
def test_augmentation_jigsaw_and_a_bank_go_on_as_in_an_undisturbed_run(tmp_path):
    with seeded(0, "test"):
        g = ViewGenerator(flow={"hidden": 8})
        for p in g.parameters():
            torch.nn.init.normal_(p, std=0.3)
    views = (
        *("views=learned", f"views.generator={g.save(tmp_path / 'g')}", "views.table=false"),
        *("views.combine.p=0.5", "views.combine.order=before", "augment=infomin_nojigsaw"),
        *("jigsaw=pirl", "jigsaw.cell=6", "jigsaw.piece=6", "data.size=18"),
        *("memory=bank", "memory.negatives=16"),
    )
    expected = finish(tmp_path / "whole", "pretrain", *views)
    disturb(tmp_path, "pretrain", 6, signal.SIGTERM, *views)
    assert_same(finish(tmp_path, "pretrain", *views, "resume=true"), expected, "pretrain")


@pytest.mark.slow
def test_of_runs_killed_after_their_last_step_the_newest_of_the_configuration_is_evaluated(
    tmp_path, undisturbed
):
    expected = undisturbed("pretrain")
    runs = tmp_path / "runs" / "pretrain"
    for day in (1, 2, 3):
        shutil.copytree(expected, runs / f"2026010{day}-000000")
        (runs / f"2026010{day}-000000" / "result.json").unlink()
    other = runs / "20260103-000000" / "config.yaml"
    other.write_text(other.read_text().replace("seed: 0", "seed: 1"))
    script = Script(tmp_path, "pretrain", *TINY["pretrain"], "resume=true")
    assert script.wait() == 0, script.err
    assert [path.parent.name for path in runs.glob("*/result.json")] == ["20260102-000000"]
    assert_same(runs / "20260102-000000", expected, "pretrain")


@pytest.mark.slow
@scripts
def test_a_run_folder_is_complete(undisturbed, name):
    run = undisturbed(name)
    assert {path.name.split(".out.")[0] for path in run.iterdir()} == {
        *("config.yaml", "provenance.json", "metrics.jsonl", "events", "checkpoint.pt"),
        *("result.json", "pictures", PRODUCT[name]),
    }
    provenance = json.loads((run / "provenance.json").read_text())
    assert provenance.keys() == {"command", "commit", "started", "versions", "hardware"}
    assert provenance["versions"].keys() == {"infomin", "python", "torch", "torchvision"}
    assert provenance["command"].startswith(f"python scripts/{name}.py out=")
    assert all(provenance.values())
    assert provenance["hardware"].endswith((", 32-true", ", bf16-mixed"))
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
    assert [line["step"] for line in lines] == [10, STEPS]
    events = EventAccumulator(str(undisturbed(name))).Reload()
    scalars = events.Scalars("loss")
    assert [event.step for event in scalars] == [line["step"] for line in lines]
    assert [event.value for event in scalars] == pytest.approx([line["loss"] for line in lines])
    assert "views" in events.Tags()["images"]


@pytest.mark.slow
def test_evaluations_of_the_encoder_are_logged_and_the_last_is_kept(tmp_path, undisturbed):
    run = undisturbed("pretrain")
    evaluations = [line for line in read_metrics(run) if "loss" not in line]
    assert [(evaluation["step"], evaluation["monitor/epoch"]) for evaluation in evaluations] == [
        (8, 2),
        (STEPS, 4),
    ]
    (result,) = read_result(run)
    last = {name.removeprefix("monitor/"): value for name, value in evaluations[-1].items()}
    assert result["monitor"] == {n: v for n, v in last.items() if n != "step"}
    assert {"knn", "probe", "alignment", "rank_2", "feature_rank"} <= result["monitor"].keys()
    assert result["collapsed"] == []
    events = EventAccumulator(str(run)).Reload()
    assert [event.step for event in events.Scalars("monitor/knn")] == [8, STEPS]


@pytest.mark.slow
def test_collapse_is_reported_once_and_kept(tmp_path):
    collapse = ("optimizer.lr=0", "pretrain.temperature=1000", "monitor.every=1")
    script = Script(tmp_path, "pretrain", *TINY["pretrain"], *collapse)
    assert script.wait() == 0, script.err
    warnings = [line for line in script.err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 1 and warnings[0].startswith(
        "warning: the loss is at log K: I_NCE 0.00 of 2.77"
    )
    ((result,), (run,)) = (read_result(script.folders[0]), script.folders)
    assert result["collapsed"] == [warnings[0].replace("warning", "since epoch 1")]
    assert "warning" not in (run / "metrics.jsonl").read_text()
