"""Every command in folders of any name: grids, several runs, resumption, exports, pages."""

import os
import shlex
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from running import SCRIPTS, Command

from infomin import load_generator
from infomin.core.files import read_json
from infomin.runs.lookup import RESULT

pytestmark = [pytest.mark.usefixtures("single"), pytest.mark.slow]

STRANGE = "Bär & Söhne #1 (a=b), [x] {y: z} ~ 50% 'q' \"Q\" ${z} C:\\"
SMALL = ("budget=smoke", "budget.size=16", "budget.patch=8", "data.cache=cache, too")
GAME = ("game.steps=2", "game.batch=8", "game.labelled_batch=4", "labels=1.0")
PRETRAIN = ("pretrain.epochs=1", "pretrain.batch=8")


def photographs(root, classes=("cat", "dog"), number=12):
    rng = np.random.default_rng(0)
    for name in classes:
        for i in range(number):
            path = root / name / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(path)
    return root


@pytest.fixture
def strange(tmp_path, monkeypatch):
    folder = tmp_path / STRANGE
    photographs(folder / "2024, ü")
    monkeypatch.chdir(folder)
    return folder


def run(folder, name, *overrides, code=0):
    command = Command(folder, name, *overrides)
    assert command.code == code, command.err
    return command


def following(command):
    """The words of the first command that a command proposes next."""
    (line,) = [line for line in command.out.splitlines() if line.startswith("next: infomin ")]
    return shlex.split(line.removeprefix("next: infomin ").split(", or infomin ")[0])


def test_stages_find_each_other_in_a_folder_of_any_name(strange):
    data = ("data=image_folder", "data.root=2024, ü", *SMALL)
    game = run(strange, "learn_views", *data, *GAME)
    generator = game.folders[0] / "generator"
    assert load_generator(generator).channels == 3
    (name, *words) = following(game)
    assert name == "pretrain" and words == ["views=learned", f"out={strange / 'runs'}"]
    trained = run(strange, "pretrain", f"views.generator={generator}", *SMALL[:3], *PRETRAIN)
    assert "data as in the training of" in trained.out, "the run of g knows its data"
    assert read_json(trained.folders[0] / RESULT)["data"] == "2024, ü"
    evaluated = run(strange, "evaluate", f"pretrained={trained.folders[0] / 'encoder'}")
    (name, page) = following(evaluated)
    assert (name, page) == ("report", f"runs={strange / 'runs'}")
    run(strange, "report", page, "to=pages, all")
    assert (strange / "pages, all" / "report.html").is_file()
    run(strange, "export_generator", f"generator={generator}", "folder=g, 1", "formats=[]")
    assert load_generator("g, 1").channels == 3


def test_a_grid_runs_in_a_folder_of_any_name(strange):
    words = ("experiment=demo", "data=image_folder", "data.root=2024, ü", *SMALL, "jobs=2")
    words += ("budget.game.steps=2", "budget.game.batch=8", "budget.game.labelled_batch=4")
    words += ("budget.pretrain.batch=8", "budget.pretrain.epochs=1", "write=[a b.md]")
    words += ("rows=[[rgb,semi]]", "against=[rgb,semi]")
    (strange / "a b.md").write_text("<!-- demo-smoke -->\n<!-- /demo-smoke -->\n")
    first = run(strange, "report", *words)
    assert "1 cells, 0 done before" in first.err
    assert "| rgb | semi |" in (strange / "a b.md").read_text()
    assert "1 cells, 1 done before" in run(strange, "report", *words).err


def test_several_runs_read_several_folders(strange):
    photographs(strange / "b c")
    photographs(strange / "ü#1")
    words = ("data=image_folder", "data.root=b c,ü#1", "mode=unsup", *SMALL, *GAME)
    games = run(strange, "learn_views", "-m", *words)
    read = sorted(read_json(folder / RESULT)["data"] for folder in games.folders)
    assert read == ["b c", "ü#1"]


def test_a_run_resumes_in_a_folder_of_any_name(strange):
    words = ("data=image_folder", "data.root=2024, ü", *SMALL, *GAME)
    run(strange, "learn_views", *words)
    (folder,) = (strange / "runs" / "learn_views").iterdir()
    (folder / RESULT).unlink()
    run(strange, "learn_views", *words, "resume=true")
    (folder / RESULT).unlink()
    run(strange, "learn_views", *words, f"resume={folder}")


@pytest.mark.parametrize("name", ["2024-01-01", "null", "1e3", " b ", "a\nb", "~x"])
def test_data_in_a_folder_whose_name_means_something(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    photographs(tmp_path / name)
    words = ("data=image_folder", f"data.root={name}", "mode=unsup", *SMALL, *GAME)
    game = run(tmp_path, "learn_views", *words)
    assert read_json(game.folders[0] / RESULT)["data"] == name.replace("\n", " ")


def test_a_run_ends_well_in_a_folder_that_is_no_utf8(tmp_path):
    folder = tmp_path / os.fsdecode(b"m\xfcll")
    photographs(folder, ("猫", os.fsdecode(b"\xfc")))
    words = ["data=image_folder", "data.root=.", *SMALL, *GAME, "mode=semi", "device=cpu"]
    command = [sys.executable, str(SCRIPTS / "learn_views.py"), *words, "out=rüns"]
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment = os.environ | {"PYTHONIOENCODING": "ascii"} | ascii_only
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True)
    assert ended.returncode == 0 and b"Traceback" not in ended.stderr, ended.stderr
    (result,) = (folder / "rüns" / "learn_views").glob("*/result.json")
    assert read_json(result)["data"] == "m\\xfcll"
