"""Cells of a grid: what they run, what is not run again, and what is read of them."""

import os
import signal
import threading
import time

import pytest

from infomin.core.errors import InputError
from infomin.core.files import write_json
from infomin.experiments.grid import cells, records, running
from infomin.runs.signals import Interrupted

SCRIPT = """import json, pathlib, sys
kind, out = pathlib.Path(sys.argv[0]).stem, sys.argv[-1].removeprefix("out=")
run = pathlib.Path(out) / kind / str(len(sys.argv))
run.mkdir(parents=True, exist_ok=True)
result = {"top1": 0.5, "i_nce": {"value": 1.0}, "seconds": 60}
for name, told in (("provenance", {}), ("result", result)):
    (run / f"{name}.json").write_text(json.dumps(told))
print("ran", kind)
"""


@pytest.fixture
def ran(tmp_path):
    """Run the cells of a grid; return the scripts that each has run since the beginning."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    for name in ("learn_views", "pretrain", "linear_eval", "segment"):
        (folder / f"{name}.py").write_text(SCRIPT)

    def go(todo, size=32, order=1):
        told, named = [], [("size", size), ("seed", 0)]
        settings = dict(named[::order])
        running.run(todo, lambda line: settings, tmp_path, 1, told.append, lambda cell: "well")
        assert told[0].startswith(f"{len(todo)} cells")
        logs = [(cell.folder / "log.txt").read_text().split() for cell in todo]
        return [" ".join(log[1::2]) for log in logs]

    return go


def test_a_finished_cell_is_run_again_only_for_other_commands_or_settings(tmp_path, ran):
    (cell,) = cells.cells(tmp_path / "runs", [("rgb", "raw")], [0])
    plain, seven = ({cell: cells.commands(cell, [], [], told)} for told in ([], ["seed=7"]))
    assert [ran(plain), ran(plain)] == [["pretrain"]] * 2
    assert records.read(cell).score == 0.5
    assert ran(seven) == ["pretrain pretrain"]
    assert [ran(seven, 64) for _ in range(2)] == [["pretrain pretrain pretrain"]] * 2
    assert ran(seven, 64, order=-1) == ["pretrain pretrain pretrain"]  # which says nothing


def test_an_encoder_that_is_judged_in_another_way_is_not_trained_again(tmp_path, ran):
    (cell,) = cells.cells(tmp_path / "runs", [("rgb", "raw")], [0])

    def todo(judge=(), by="linear_eval", pretrain=()):
        return {cell: cells.commands(cell, [], [], pretrain, judge=judge, by=by)}

    assert ran(todo()) == ["pretrain"]
    assert ran(todo(["data=here"])) == ["pretrain linear_eval"]
    assert ran(todo(["data=there"], "segment")) == ["pretrain linear_eval segment"]
    assert ran(todo(["data=here"])) == ["pretrain linear_eval segment"]
    assert ran(todo()) == ["pretrain linear_eval segment"]
    # the newest of a script counts, so that only one is on record
    before = "pretrain linear_eval segment"
    assert ran(todo(["data=else"])) == [f"{before} linear_eval"]
    assert ran(todo(["data=here"])) == [f"{before} linear_eval linear_eval"]
    # training does away with what was judged
    before += " linear_eval linear_eval"
    assert ran(todo(pretrain=["seed=7"])) == [f"{before} pretrain"]
    assert ran(todo(["data=here"], pretrain=["seed=7"])) == [f"{before} pretrain linear_eval"]


def test_a_cell_that_failed_goes_on_where_it_stopped(tmp_path, ran):
    (cell,) = cells.cells(tmp_path / "runs", [("rgb", "semi")], [0])
    todo, script = {cell: cells.commands(cell, [], [], [])}, tmp_path / "scripts" / "pretrain.py"
    script.write_text("raise SystemExit('no memory')")
    with pytest.raises(InputError, match="semi from rgb, seed 0: .* failed: no memory"):
        ran(todo)
    script.write_text(SCRIPT)
    (told,) = ran(todo)
    assert told.split().count("learn_views") == 1 and told.endswith("pretrain")


WAITING = """import os, pathlib, signal, sys, time
out = pathlib.Path(sys.argv[-1].removeprefix("out="))
def saved(number, frame):
    (out / "saved").touch()
    sys.exit(128 + number)
signal.signal(signal.SIGTERM, saved)
(out / "began").touch()
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_grid_that_is_stopped_stops_what_it_has_started(tmp_path, ran, number, request):
    # where tests run in the background, Ctrl-C is ignored
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, usual))
    first, second = made = cells.cells(tmp_path / "runs", [("rgb", "raw")], [0, 1])
    todo = {cell: cells.commands(cell, [], [], []) for cell in made}
    script = tmp_path / "scripts" / "pretrain.py"
    script.write_text(WAITING)

    def stop():
        while not (first.folder / "began").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    threading.Thread(target=stop).start()
    began, before = time.monotonic(), signal.getsignal(signal.SIGTERM)
    with pytest.raises((Interrupted, KeyboardInterrupt)):
        ran(todo)
    assert time.monotonic() - began < 30, "nothing is waited for that was not asked to end"
    assert (first.folder / "saved").exists() and not second.folder.exists()
    assert signal.getsignal(signal.SIGTERM) == before
    script.write_text(SCRIPT)
    assert ran(todo) == ["pretrain", "pretrain"]


def test_a_cell_is_run_again_when_the_game_that_it_needs_was_another(tmp_path, ran):
    rows = [("rgb", "semi"), ("rgb", "semi", "none")]
    own, other = cells.cells(tmp_path / "runs", rows, [0])

    def todo(*learn):
        return {c: cells.commands(c, [], learn, [], {}, {"none": []}) for c in (own, other)}

    assert ran(todo()) == ["learn_views pretrain", "pretrain"]
    again = todo("game.steps=9")
    assert ran(again) == ["learn_views pretrain learn_views pretrain", "pretrain pretrain"]
    assert ran(again) == ["learn_views pretrain learn_views pretrain", "pretrain pretrain"]


def test_a_generator_learned_elsewhere_plays_no_game(tmp_path):
    rows = [("rgb", "elsewhere"), ("rgb", "semi")]
    given, own = cells.cells(tmp_path, rows, [3], {"elsewhere": "photos-semi-rgb"})
    assert (given.learned, own.learned) == (False, True) and given.player == given
    (line,) = cells.commands(given, ["budget=smoke"], ["game.steps=1"], ["pretrain.epochs=1"])
    told = ["views=learned", "views.generator=photos-semi-rgb", "pretrain.epochs=1", "budget=smoke"]
    assert line[:5] == ["scripts/pretrain.py", *told]
    assert len(cells.commands(own, [], [], [])) == 2


def test_views_without_colours_and_an_evaluation_elsewhere(tmp_path):
    (cell,) = cells.cells(tmp_path, [("rgb", "frequency", "0.5")], [1])
    named = {"0.5": ["views.sigma=0.5"]}
    judge = ["data=image_folder", "data.root=PLACE"]
    common, last = ["data=windows", "budget=smoke"], ["seed=1", f"out={cell.folder}"]
    trained, judged = cells.commands(cell, common, [], [], None, named, judge)
    told = ["views=frequency", "views.sigma=0.5", *common, *last]
    assert trained == ["scripts/pretrain.py", *told] and not cell.learned
    assert judged == ["scripts/linear_eval.py", *judge, "budget=smoke", *last]


def test_a_cell_is_judged_where_it_was_told_to_be(tmp_path):
    (cell,) = cells.cells(tmp_path, [("rgb", "patches", "8")], [0])
    for kind, result in (("pretrain", {"i_nce": {"value": 1.0}}), ("linear_eval", {"top1": 0.4})):
        run = cell.folder / kind / "run"
        run.mkdir(parents=True)
        write_json(run / "provenance.json", {})
        write_json(run / "result.json", {**result, "seconds": 30.0})
    found = records.read(cell, "linear_eval")
    assert found.score == 0.4 and found.i_nce == 1.0
    assert str(found) == "linear probe, top-1 40.0%, I_NCE 1.00, 1.0 min"
    assert found.minutes == 1.0
