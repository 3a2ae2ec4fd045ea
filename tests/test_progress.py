"""The line of progress: 80 columns, in place on a terminal and in a notebook, plain in a log."""

import builtins
import re
import sys
import time
from types import ModuleType, SimpleNamespace

import pytest

from infomin.runs import display
from infomin.runs.progress import Progress, show_work
from infomin.training.trainer import TrainingLoop

METRICS = {"loss": 5.479, "i_nce": 0.06, "accuracy": 0.02, "data_seconds": 0.0}
SUP = {"loss": 1.0, "accuracy": 0.5, "data_seconds": 0.0, "ce_1": 1.25, "class_accuracy_1": 0.5}


class Loop(TrainingLoop):
    def __init__(self, steps, images):
        self.step, self.steps, self.images_per_step, self.cap = 0, steps, images, 5.54

    def advance(self):
        raise NotImplementedError


def training(step=1, steps=25, images=128, label="pretrain whole-rgb"):
    loop = Loop(steps, images)
    progress = Progress(loop, label, show=False)
    loop.step = step
    return progress


def line(metrics, seconds=10.0, **options):
    progress = training(**options)
    progress.update(metrics)
    progress.elapsed, progress.waited = seconds, metrics["data_seconds"]
    return progress.line()


def test_the_line_holds_the_metrics_of_contrastive_learning():
    assert line(METRICS | {"data_seconds": 5.9}, images=2080) == (
        "1/25  loss 5.479  I_NCE 0.06/5.54  acc 0.02  208 img/s  wait 59%  4:00 left"
    )
    assert line(METRICS, seconds=4000, step=12).endswith("1:12:13 left")
    assert line(METRICS, seconds=41, step=25).endswith("in 0:41")


@pytest.mark.parametrize(
    ("metrics", "options", "text"),
    [
        (
            {"loss": 0.054, "data_seconds": 0.0},
            {},
            "pretrain whole-rgb 1/25 | loss 0.05400 | 13 img/s | wait 0% | 4:00 left",
        ),
        (
            {"loss": 5.4, "data_seconds": 0.0, "variance": 1.25, "rate": 0.015},
            {"label": "vicreg"},
            "vicreg 1/25 | loss 5.400 | variance 1.250 | 13 img/s | wait 0% | 4:00 left",
        ),
        (
            METRICS | {"loss_views": 5.3, "loss_jigsaw": 2.197},
            {"images": 2080},
            "1/25  loss 5.479  views 5.300  jigsaw 2.197  I_NCE 0.06/5.54  wait 0%  4:00 left",
        ),
        (
            SUP,
            {},
            "pretrain whole-rgb 1/25 | loss 1.000 | acc 0.50 | 13 img/s | wait 0% | 4:00 left",
        ),
        (
            METRICS,
            {"step": 10**6, "steps": 10**7 + 10**6, "images": 10**9},
            "1000000/11000000 | loss 5.479 | I_NCE 0.06/5.54 | acc 0.02 | wait 0% | 1:40 left",
        ),
    ],
)
def test_the_least_important_parts_leave_a_line_that_is_too_long(metrics, options, text):
    assert line(metrics, **options) == text and len(text) <= 80


@pytest.mark.slow
def test_a_label_of_any_length_fits(capsys, monkeypatch):
    monkeypatch.setattr(display.Log, "every", 0.02)
    assert len(line(METRICS, label="x" * 200)) <= 80
    with show_work("x" * 200, 10**9) as update:
        update(1)
        time.sleep(2.2)
    assert all(len(text) <= 80 for text in capsys.readouterr().err.splitlines())


def watched(seconds, every=0.05, delay=0.02):
    """Update twice: at the first step and at the end of a last step of this many seconds."""
    progress = Progress(training(steps=2).loop, "work")
    progress.delay = delay
    if progress.screen:
        progress.screen.every = every
    with progress:
        progress.update(METRICS)
        progress.show_line("a warning [sic]")
        time.sleep(seconds)
        progress.loop.step = 2
        progress.update(METRICS)


def test_a_log_gets_lines_during_a_long_step(capsys):
    progress = training()
    assert progress.delay <= 2 and display.Log.every < 5
    watched(0.4)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "a warning [sic]" and "work 2/2" in lines[-1]
    assert 4 <= sum("work 1/2" in text for text in lines) <= 8


def test_a_short_training_leaves_its_last_line_and_a_failed_one_none(capsys):
    watched(0.0, delay=2)
    assert [text[:8] for text in capsys.readouterr().err.splitlines()] == ["a warnin", "work 2/2"]
    with pytest.raises(KeyError), Progress(training().loop, "work") as progress:
        progress.update(METRICS)
        raise KeyError
    assert capsys.readouterr().err == ""


def test_a_terminal_redraws_one_line(capsys, monkeypatch):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    watched(0.3)
    text = capsys.readouterr().err
    assert "a warning [sic]" in text and text.count("work 1/2") > 2
    assert text.count("\x1b[2K") >= text.count("work 1/2") - 1  # each erases the one before


def test_a_notebook_updates_one_output(capsys, monkeypatch):
    shown = []
    handle = SimpleNamespace(update=lambda content, raw: shown.append(content["text/plain"]))

    def show(content, raw, display_id):
        shown.append(content["text/plain"])
        return handle

    module = ModuleType("IPython.display")
    module.display = show
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    shell = type("ZMQInteractiveShell", (), {})()
    monkeypatch.setattr(builtins, "get_ipython", lambda: shell, raising=False)
    watched(0.3)
    assert "work 1/2" in shown[0] and "work 2/2" in shown[-1]
    assert capsys.readouterr().err == "a warning [sic]\n"


@pytest.mark.slow
def test_work_is_shown_only_when_it_takes_long(capsys, monkeypatch):
    with show_work("decode", 9469) as update:
        update(9469)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(display.Log, "every", 0.1)
    began = time.perf_counter()
    with show_work("decode", 9469) as update, show_work("inside", 2):
        while time.perf_counter() < began + 2.25:
            update(1000 * (time.perf_counter() > began + 2.1))
            time.sleep(0.05)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "decode 0/9,469" and 2 <= len(lines) <= 5
    assert all(text.startswith("decode ") for text in lines) and "left" in lines[-1]
    monkeypatch.setattr(display.Log, "every", 9)
    with show_work("measure"):
        time.sleep(2.1)
    lines = capsys.readouterr().err.splitlines()
    assert lines and len({*lines}) == len(lines), "the end once, even if it equals the last line"
    assert all(re.fullmatch(r"measure 0:0[23]", line) for line in lines)
