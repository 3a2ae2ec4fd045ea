"""The run index reads any folder: whatever is not a finished run is left out, with a reason."""

import json
import os

import pytest
from recorded import judged, pretraining, record, several
from refusal import refused

from infomin.experiments.page.run_files import curves, training_cap
from infomin.experiments.run_index import newest_run, scan
from infomin.runs import settings


def left_out(root):
    """Return the reasons for left-out paths by their names."""
    return {path.name: reason for path, reason in scan(root).left_out}


def test_runs_are_indexed_at_any_depth_with_kind_and_seed(tmp_path):
    record(tmp_path, "a", pretraining(seed=3), judged())
    cell = tmp_path / "report" / "cells" / "photos-smoke" / "rgb-raw-s0"
    record(cell, "b", pretraining(seed=0), judged(), kind="linear_eval")
    (cell / "log.txt").write_text("a log")
    (cell / "done.json").write_text("[]")
    index = scan(tmp_path)
    assert [(run.folder.name, run.kind, run.seed) for run in index.runs] == [
        ("a", "pretrain", 3),
        ("b", "linear_eval", 0),
    ]
    assert index.runs[1].out == cell and index.left_out == []
    assert [run.folder.name for run in scan(tmp_path / "pretrain" / "a").runs] == ["a"]
    assert newest_run(tmp_path / "pretrain").seed == 3
    with refused("no finished run"):
        newest_run(tmp_path / "segment")


def test_the_outputs_of_reports_are_known(tmp_path):
    for path in ("page/report.html", "page/summary.csv", "demo/table.md", "demo/demo.png"):
        (tmp_path / "report" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "report" / path).write_text("x")
    assert scan(tmp_path) == scan(tmp_path / "report" / "page")
    assert scan(tmp_path).left_out == []


def test_other_paths_are_left_out_with_a_reason(tmp_path):
    record(tmp_path, "half", pretraining())
    record(tmp_path, "none", pretraining(), steps=0)
    (record(tmp_path, "nan", pretraining(), steps=2) / "diverged.pt").write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "pretrain" / "empty").mkdir()
    (tmp_path / "elsewhere").symlink_to("/")
    assert scan(tmp_path).runs == []
    assert left_out(tmp_path) == {
        "half": "unfinished: last logged step 40",
        "none": "unfinished: no step was logged",
        "nan": "diverged: the loss was not finite, last logged step 20",
        "notes.txt": "is not part of a run",
        "empty": "is an empty folder",
        "elsewhere": "is a symbolic link, which is not followed",
    }


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("result.json", b"{", "result.json is not JSON"),
        ("result.json", b"[1]", "result.json is not a mapping"),
        ("result.json", b"\xff\xfe", "result.json cannot be read"),
        ("result.json", b"[" * 100_000, "result.json is not JSON"),
        ("result.json", b"", "result.json has 0 bytes"),
        ("result.json", b" " * 2**22, "result.json has 4194304 bytes"),
        ("result.json", b'{"a": ' + b"9" * 5000 + b"}", "result.json is not JSON"),
        ("config.yaml", b"{", "is not YAML"),
        ("config.yaml", b"- 1", "is no mapping of settings but of type list"),
        ("config.yaml", b"a: !!python/object/apply:os.system [ls]", "is not YAML"),
        ("config.yaml", b"{" * 5_000, "is not YAML"),
        ("config.yaml", b"a: " + b"x" * 2**15, "config.yaml has 32771 bytes"),
    ],
)
def test_unreadable_records_leave_a_run_out(tmp_path, name, content, reason):
    (record(tmp_path, "bad", pretraining(), judged()) / name).write_bytes(content)
    assert scan(tmp_path).runs == []
    assert reason in left_out(tmp_path)["bad"] and len(left_out(tmp_path)["bad"]) <= 160


def test_a_pipe_is_not_opened(tmp_path):
    folder = record(tmp_path, "bad", pretraining())
    os.mkfifo(folder / "result.json")
    assert "result.json is no regular file" in left_out(tmp_path)["bad"]


def test_a_missing_provenance_is_empty(tmp_path):
    (record(tmp_path, "a", pretraining(), judged()) / "provenance.json").unlink()
    assert scan(tmp_path).runs[0].provenance == {}


@pytest.mark.parametrize("missing", ["nowhere", "a_file"])
def test_a_missing_folder_is_refused(tmp_path, missing):
    (tmp_path / "a_file").write_text("x")
    with refused(
        f"runs: expected a folder that holds runs, got .*{missing}; name one, such as runs=runs"
    ):
        scan(tmp_path / missing)


def test_settings_are_flat_whatever_is_nested():
    assert settings.flat({"a": {"b": 1, "c": [1, "x"]}, "d": None}) == {
        "a.b": 1,
        "a.c": "[1, x]",
        "d": None,
    }
    laughs = "a0: &a0 {x: 1, y: 2}\n"
    laughs += "".join(f"a{i}: &a{i} {{x: *a{i - 1}, y: *a{i - 1}}}\n" for i in range(1, 60))
    assert len(settings.flat(settings.read(laughs))) == settings.MOST
    lists = "a0: &a0 [1, 2]\n" + "".join(
        f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 60)
    )
    assert max(len(v) for v in settings.flat(settings.read(lists)).values()) < 1000
    inside_itself = settings.flat(settings.read("a: &a {b: *a}"))
    assert len(inside_itself) == 1


def test_curves_are_averaged_and_skip_lines_without_metrics(tmp_path):
    several(tmp_path, {"raw-rgb": [0.5]})
    (run,) = scan(tmp_path).runs
    lines = [json.dumps({"step": i, "loss": i}) for i in range(1, 121)]
    lines[7:7] = ["{", "[]", '{"step": "x", "loss": 1}', '{"step": 7, "loss": NaN}', "\x00"]
    (run.folder / "metrics.jsonl").write_text("\n".join(lines))
    loss, i_nce = curves(run.folder)
    assert loss == [(2 * i, 2 * i - 0.5) for i in range(1, 61)] and i_nce == []
    assert training_cap(run) == pytest.approx(4.852, abs=1e-3)
    (run.folder / "metrics.jsonl").unlink()
    assert curves(run.folder) == [[], []]
