"""The folder of a run: its own, found again, with products and curves."""

import json
from pathlib import Path

import pytest

from infomin.core.errors import InputError
from infomin.runs.folder import Run, newest


def start(out, config="seed: 0\n", resume=False):
    return Run.open(str(out), "learn_views", "semi-rgb-s0", config, resume)


def test_runs_of_the_same_second_have_folders_of_their_own(tmp_path):
    assert len({start(tmp_path).folder for _ in range(5)}) == 5


def test_nothing_to_resume_is_one_line(tmp_path):
    message = r"^resume: no unfinished run of this configuration in .*; start without resume$"
    with pytest.raises(InputError, match=message):
        start(tmp_path, resume=True)
    start(tmp_path).finish({})
    start(tmp_path, "seed: 1\n")
    with pytest.raises(InputError, match=message):
        start(tmp_path, resume=True)


@pytest.mark.parametrize(
    ("config", "finished", "message"),
    [
        ("seed: 0\n", True, r"^resume: .* is finished; start without resume$"),
        ("seed: 1\n", False, r"^resume: .* was started with another configuration$"),
    ],
)
def test_a_run_that_cannot_be_resumed_is_told_why(tmp_path, config, finished, message):
    run = start(tmp_path)
    if finished:
        run.finish({})
    with pytest.raises(InputError, match=message):
        start(tmp_path, config, resume=str(run.folder))
    with pytest.raises(InputError, match=r"^resume: .*/nowhere is not a run$"):
        start(tmp_path, config, resume=str(tmp_path / "nowhere"))


def test_the_newest_product_is_that_of_the_run_that_finished_last(tmp_path):
    first, second, third = (start(tmp_path) for _ in range(3))
    for run in (first, second, third):
        (run.folder / "generator").mkdir()
    second.finish({})
    first.finish({})
    assert newest(str(tmp_path), "learn_views", "generator") == first.folder / "generator"
    with pytest.raises(InputError, match=r"^no finished run of scripts/pretrain.py in /"):
        newest(str(tmp_path), "pretrain", "encoder")


def test_the_place_of_a_product_is_empty_in_an_unfinished_run(tmp_path):
    run = start(tmp_path)
    (run.place("generator") / "left").mkdir(parents=True)
    assert run.place("generator") == Path(run.folder) / "generator"
    assert not run.place("generator").exists()


@pytest.mark.parametrize(("logged", "points"), [(1, 1), (100, 100), (101, 51), (120, 60)])
def test_a_curve_keeps_the_mean_and_the_end_of_what_was_logged(tmp_path, logged, points):
    run = start(tmp_path)
    lines = [{"step": 10 * i, "i_nce": i / 10} for i in range(1, logged + 1)]
    (run.folder / "metrics.jsonl").write_text("".join(json.dumps(m) + "\n" for m in lines))
    curve = run.curve("i_nce")
    assert len(curve) == points and curve[-1][0] == 10 * logged
    width = 2 if logged > 100 else 1
    assert curve[0] == [10 * width, pytest.approx((1 + width) / 20)]
    assert run.curve("nothing") == []
