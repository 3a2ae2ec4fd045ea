"""Cells of a grid: their commands, what runs again, and the records read from them."""

import os
import signal
import threading
import time

import pytest
from filelock import FileLock
from refusal import refused

from infomin.core.errors import InputError
from infomin.core.files import write_json
from infomin.experiments.grid import cells, launchers, records, scheduler
from infomin.experiments.grid.progress import GridProgress
from infomin.experiments.grid.task import Task
from infomin.runs.signals import Interrupted

SCRIPT = """import json, pathlib, sys
kind, out = pathlib.Path(sys.argv[0]).stem, sys.argv[-1].removeprefix("out=")
run = pathlib.Path(out) / kind / str(len(sys.argv))
run.mkdir(parents=True, exist_ok=True)
result = {"top1": 0.5, "i_nce": {"value": 1.0}, "seconds": 60}
(run / "config.yaml").write_text("seed: 0")
(run / "result.json").write_text(json.dumps(result))
print("ran", kind)
"""


@pytest.fixture
def ran(tmp_path):
    """Run the cells of a grid; return the scripts that each has run so far."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    for name in ("learn_views", "pretrain", "linear_eval", "segment"):
        (folder / f"{name}.py").write_text(SCRIPT)

    def go(todo, size=32, order=1, **options):
        log, named = tmp_path / "progress.txt", [("size", size), ("seed", 0)]
        with log.open("w") as stream:
            scheduler.run(
                todo,
                resolve=lambda command: dict(named[::order]),
                jobs=1,
                progress=GridProgress(stream, every=0.2),
                describe=lambda cell: "well",
                **{"launcher": launchers.Local(tmp_path, 1), **options},
            )
        go.shown = log.read_text()
        assert go.shown.startswith(f"{len(todo)} cells")
        logs = [(cell.folder / "log.txt").read_text().split() for cell in todo]
        return [" ".join(log[1::2]) for log in logs]

    return go


def test_a_finished_cell_is_run_again_only_for_other_commands_or_settings(tmp_path, ran):
    (cell,) = cells.cells(tmp_path / "runs", [("rgb", "raw")], [0])
    plain, seven = ({cell: cells.commands(cell, [], [], given)} for given in ([], ["seed=7"]))
    assert [ran(plain), ran(plain)] == [["pretrain"]] * 2
    assert records.read_cell(cell).score == 0.5
    assert ran(seven) == ["pretrain pretrain"]
    assert [ran(seven, 64) for _ in range(2)] == [["pretrain pretrain pretrain"]] * 2
    assert ran(seven, 64, order=-1) == ["pretrain pretrain pretrain"]  # which says nothing


def test_another_evaluation_trains_no_encoder_again(tmp_path, ran):
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


def test_a_failed_cell_continues_where_it_stopped(tmp_path, ran):
    (cell,) = cells.cells(tmp_path / "runs", [("rgb", "semi")], [0])
    todo, script = {cell: cells.commands(cell, [], [], [])}, tmp_path / "scripts" / "pretrain.py"
    script.write_text("raise SystemExit('no memory')")
    with pytest.raises(InputError, match="semi from rgb, seed 0: .* failed: no memory"):
        ran(todo)
    script.write_text(SCRIPT)
    (given,) = ran(todo)
    assert given.split().count("learn_views") == 1 and given.endswith("pretrain")


def test_every_command_is_checked_before_the_first_one_runs(tmp_path, ran):
    made = cells.cells(tmp_path / "runs", [("rgb", "raw")], [0, 1])
    todo = {cell: cells.commands(cell, [], [], []) for cell in made}
    assert ran(dict([*todo.items()][:1])) == ["pretrain"]

    def check(command):
        raise InputError("data.root: expected a folder")

    message = "raw from rgb, seed 1: scripts/pretrain.py: data.root: expected a folder"
    with pytest.raises(InputError, match=message):
        ran(todo, check=check)
    assert not made[1].folder.exists()
    # finished commands are not checked again
    assert ran(dict([*todo.items()][:1]), check=check) == ["pretrain"]


def test_running_cells_show_the_last_line_of_their_log(tmp_path, ran):
    (cell,) = cells.cells(tmp_path / "runs", [("rgb", "raw")], [0])
    slow = "import time\nprint('step 3 of 9', flush=True)\ntime.sleep(1)\n"
    (tmp_path / "scripts" / "pretrain.py").write_text(slow)
    ran({cell: cells.commands(cell, [], [], [])})
    assert "raw from rgb, seed 0: step 3 of 9\n" in ran.shown


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
def test_a_stopped_grid_stops_its_processes(tmp_path, ran, number, request):
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

    threading.Thread(target=stop, daemon=True).start()
    began, before = time.monotonic(), signal.getsignal(signal.SIGTERM)
    with pytest.raises((Interrupted, KeyboardInterrupt)):
        ran(todo)
    assert time.monotonic() - began < 30, "every process was asked to end"
    assert (first.folder / "saved").exists() and not second.folder.exists()
    assert signal.getsignal(signal.SIGTERM) == before
    script.write_text(SCRIPT)
    assert ran(todo) == ["pretrain", "pretrain"]


def test_a_cell_runs_again_after_another_run_of_its_game(tmp_path, ran):
    rows = [("rgb", "semi"), ("rgb", "semi", "none")]
    own, other = cells.cells(tmp_path / "runs", rows, [0])

    def todo(*learn):
        return {c: cells.commands(c, [], learn, [], {}, {"none": []}) for c in (own, other)}

    assert ran(todo()) == ["learn_views pretrain", "pretrain"]
    again = todo("game.steps=9")
    assert ran(again) == ["learn_views pretrain learn_views pretrain", "pretrain pretrain"]
    assert ran(again) == ["learn_views pretrain learn_views pretrain", "pretrain pretrain"]


def test_a_given_generator_needs_no_game(tmp_path):
    rows = [("rgb", "elsewhere"), ("rgb", "semi")]
    given, own = cells.cells(tmp_path, rows, [3], {"elsewhere": "photos-semi-rgb"})
    assert (given.learned, own.learned) == (False, True) and given.dependency == given
    (line,) = cells.commands(given, ["budget=smoke"], ["game.steps=1"], ["pretrain.epochs=1"])
    given = [
        "views=learned",
        "views.generator=photos-semi-rgb",
        "pretrain.epochs=1",
        "budget=smoke",
    ]
    assert line[:5] == ["scripts/pretrain.py", *given]
    assert len(cells.commands(own, [], [], [])) == 2


def test_views_without_colours_and_an_evaluation_elsewhere(tmp_path):
    (cell,) = cells.cells(tmp_path, [("rgb", "frequency", "0.5")], [1])
    named = {"0.5": ["views.sigma=0.5"]}
    judge = ["data=image_folder", "data.root=PLACE"]
    common, last = ["data=windows", "budget=smoke"], ["seed=1", f"out={cell.folder}"]
    trained, judged = cells.commands(cell, common, [], [], None, named, judge)
    given = ["views=frequency", "views.sigma=0.5", *common, *last]
    assert trained == ["scripts/pretrain.py", *given] and not cell.learned
    assert judged == ["scripts/linear_eval.py", *judge, "budget=smoke", *last]


def test_a_record_combines_pretraining_and_evaluation(tmp_path):
    (cell,) = cells.cells(tmp_path, [("rgb", "patches", "8")], [0])
    for kind, result in (("pretrain", {"i_nce": {"value": 1.0}}), ("linear_eval", {"top1": 0.4})):
        run = cell.folder / kind / "run"
        run.mkdir(parents=True)
        (run / "config.yaml").write_text("seed: 0")
        write_json(run / "result.json", {**result, "seconds": 30.0})
    actual = records.read_cell(cell, "linear_eval")
    assert actual.score == 0.4 and actual.metrics["I_NCE, nats"] == 1.0
    assert str(actual) == "linear probe, top-1 40.0%, I_NCE 1.00, 1.0 min"
    assert actual.metrics["minutes"] == 1.0


def test_a_cell_of_another_grid_is_left_to_it(tmp_path, ran):
    (cell,) = cells.cells(tmp_path / "runs", [("rgb", "raw")], [0])
    todo = {cell: cells.commands(cell, [], [], [])}
    cell.folder.mkdir(parents=True)
    other = FileLock(cell.folder / ".lock", thread_local=False)
    other.acquire()
    record = [{"command": todo[cell][0], "settings": {"size": 32, "seed": 0}}]

    def finish():
        time.sleep(0.3)
        write_json(cell.folder / "done.json", record)
        (cell.folder / "log.txt").touch()
        other.release()

    threading.Thread(target=finish, daemon=True).start()
    assert ran(todo) == [""], "it finished there"
    assert "raw from rgb, seed 0: another grid runs it; waiting\n" in ran.shown


def test_a_stopped_training_of_a_cell_goes_on(tmp_path):
    (cell,) = cells.cells(tmp_path / "runs", [("rgb", "raw")], [0])
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "pretrain.py").write_text("import sys\nprint(sys.argv[1:])")
    command = {"command": cells.commands(cell)[0]}
    for settings, word in (({"resume": False}, True), ({}, False)):
        task = Task(cell, [], [command | {"settings": settings}])
        task.start(tmp_path, os.environ).wait()
        assert ("resume=auto" in (cell.folder / "log.txt").read_text().splitlines()[-1]) == word


def test_cells_take_gpus_in_turn(tmp_path, monkeypatch):
    script = tmp_path / "scripts" / "pretrain.py"
    script.parent.mkdir()
    script.write_text("import os\nprint(os.environ.get('CUDA_VISIBLE_DEVICES'))")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    launcher = launchers.Local(tmp_path, 1)
    for cell, gpu in zip(
        cells.cells(tmp_path / "runs", [("rgb", "raw")], [0, 1, 2]), "353", strict=True
    ):
        command = {"command": cells.commands(cell)[0], "settings": {}}
        job = launcher.start(Task(cell, [], [command]))
        while not job.ended():
            time.sleep(0.01)
        assert (cell.folder / "log.txt").read_text() == f"{gpu}\n"


@pytest.mark.slow
def test_jobs_of_submitit_run_a_grid(tmp_path, ran):
    """Its executor for this machine does what that of Slurm does."""
    (cell,) = cells.cells(tmp_path / "runs", [("rgb", "semi")], [0])
    todo = {cell: cells.commands(cell)}
    slurm = launchers.Slurm(tmp_path, tmp_path / "jobs", {"cluster": "local", "timeout_min": 5})
    (tmp_path / "scripts" / "pretrain.py").write_text("raise SystemExit('no memory')")
    with pytest.raises(InputError, match="semi from rgb, seed 0: .* failed: no memory"):
        ran(todo, launcher=slurm)
    (tmp_path / "scripts" / "pretrain.py").write_text(SCRIPT)
    (given,) = ran(todo)
    assert given.split().count("learn_views") == 1, "the job put it on record"


def test_a_launcher_that_cannot_work_is_refused(tmp_path):
    with refused("slurm.cluster: expected one of slurm, local, got 'cloud'"):
        launchers.Slurm(tmp_path, tmp_path / "jobs", {"cluster": "cloud"})
    with refused("launcher=slurm: "):  # there is no Slurm here
        launchers.Slurm(tmp_path, tmp_path / "jobs", {})
