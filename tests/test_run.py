"""The folder of a run: how it starts, continues, and keeps products and curves."""

import json
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from refusal import refused

from infomin.core import files
from infomin.runs import checkpoint, signals
from infomin.runs.folder import Run
from infomin.runs.lookup import CONFIG, newest
from infomin.training.trainer import TrainingLoop


def start(out, config="seed: 0\n", resume=False):
    return Run.open(str(out), "learn_views", "semi-rgb-s0", config, resume)


def test_runs_of_the_same_second_have_different_folders(tmp_path):
    assert len({start(tmp_path).folder for _ in range(5)}) == 5


def test_runs_of_one_second_have_folders_of_their_own(tmp_path):
    with ThreadPoolExecutor(8) as pool:  # as commands that start at the same moment
        runs = [*pool.map(lambda i: start(tmp_path, f"seed: {i}\n"), range(40))]
    assert len({run.folder for run in runs}) == 40
    for i, run in enumerate(runs):
        assert (run.folder / CONFIG).read_text() == f"seed: {i}\n"


def test_auto_starts_a_run_or_goes_on_with_it(tmp_path):
    first = start(tmp_path, resume="auto")
    assert start(tmp_path, resume="auto").folder == first.folder
    assert start(tmp_path, "seed: 1\n", resume="auto").folder != first.folder
    first.finish({})
    assert start(tmp_path, resume="auto").folder != first.folder


def test_only_an_unfinished_run_of_the_same_configuration_resumes(tmp_path):
    nothing = r"resume: no unfinished run of this configuration in .*; start without resume"
    with refused(nothing):
        start(tmp_path, resume=True)
    finished, other = start(tmp_path), start(tmp_path, "seed: 'é'\n")
    finished.finish({})
    with refused(nothing):
        start(tmp_path, resume=True)
    for folder, message in (
        (finished.folder, "is finished; start without resume"),
        (other.folder, "has another configuration; start a new run"),
        (tmp_path / "nowhere", "is not a run"),
    ):
        with refused(f"resume: {folder} {message}"):
            start(tmp_path, resume=str(folder))
    assert start(tmp_path, "seed: 'é'\n", resume=True).folder == other.folder


def test_the_newest_product_is_that_of_the_run_that_finished_last(tmp_path):
    first, second, third = (start(tmp_path) for _ in range(3))
    for run in (first, second, third):
        (run.folder / "generator").mkdir()
    second.finish({})
    first.finish({})
    assert newest(str(tmp_path), "learn_views", "generator") == first.folder / "generator"
    with refused("no finished run of infomin pretrain in /"):
        newest(str(tmp_path), "pretrain", "encoder")


def test_the_place_of_a_product_is_empty_in_an_unfinished_run(tmp_path):
    run = start(tmp_path)
    (run.product_folder("generator") / "left").mkdir(parents=True)
    assert run.product_folder("generator") == Path(run.folder) / "generator"
    assert not run.product_folder("generator").exists()


@pytest.mark.parametrize(("logged", "points"), [(1, 1), (100, 100), (101, 51), (120, 60)])
def test_a_curve_keeps_the_mean_and_the_last_step(tmp_path, logged, points):
    run = start(tmp_path)
    lines = [{"step": 10 * i, "i_nce": i / 10} for i in range(1, logged + 1)]
    (run.folder / "metrics.jsonl").write_text("".join(json.dumps(m) + "\n" for m in lines))
    curve = run.curve("i_nce")
    assert len(curve) == points and curve[-1][0] == 10 * logged
    width = 2 if logged > 100 else 1
    assert curve[0] == [10 * width, pytest.approx((1 + width) / 20)]
    assert run.curve("nothing") == []


class Loop(TrainingLoop):
    """A loop whose state is one tensor, which changes in place."""

    def __init__(self):
        self.state = {"modules": {"w": torch.zeros(3)}, "betas": (0.9, 0.99), "step": 1}

    def advance(self):
        return {}

    def state_dict(self):
        return self.state


def test_a_checkpoint_in_the_background_is_the_state_of_its_moment(tmp_path, monkeypatch):
    path, loop, began = tmp_path / "checkpoint.pt", Loop(), threading.Event()
    write = checkpoint._write
    monkeypatch.setattr(checkpoint, "_write", lambda *state: (began.wait(), write(*state)))
    saver = checkpoint.BackgroundSaver(path)
    saver.start(loop, seconds=7.0)
    loop.state["modules"]["w"] += 1  # training goes on meanwhile
    assert not path.exists()
    began.set()
    saver.wait()
    saved = torch.load(path)
    assert saved["modules"]["w"].tolist() == [0, 0, 0] and saved["betas"] == (0.9, 0.99)
    assert (saved["seconds"], saved["step"]) == (7.0, 1)


def test_a_checkpoint_that_cannot_be_written_is_an_error_of_the_next(tmp_path):
    saver = checkpoint.BackgroundSaver(tmp_path / "missing" / "checkpoint.pt")
    saver.start(Loop(), 0.0)
    with refused("checkpoint.pt: could not be written"):
        saver.start(Loop(), 0.0)
    saver.wait()


def test_paths_are_shown_relative_where_that_is_shorter(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    run = start(tmp_path / "here" / "runs")
    assert not run.product_folder("generator").is_absolute()
    assert run.finish({}) == Path("runs/learn_views") / run.folder.name / "result.json"
    assert files.shown(tmp_path / "there") == Path("../there")
    assert files.shown(Path("/x")) == Path("/x")
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert files.shown(tmp_path / "there") == tmp_path / "there"


def test_a_user_without_a_home_needs_a_cache_folder(tmp_path, monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert files.cache_folder(str(tmp_path)) == tmp_path
    with refused("cache: expected a home folder, found none .*; set XDG_CACHE_HOME or give"):
        files.cache_folder(None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert files.cache_folder(None) == tmp_path / "infomin"


@pytest.mark.parametrize("number", signals.STOP)
def test_signals_that_stop_a_run_are_collected(number):
    before = signal.getsignal(number)
    with signals.collected() as received:
        os.kill(os.getpid(), number)
        assert received == [number]
    assert signal.getsignal(number) == before and len(signals.STOP) == 4
