"""Wrong options and generators of a command are one line, before the first image is read."""

import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

import pytest
from refusal import edit, spoil
from running import Process

from infomin import ViewGenerator

pytestmark = pytest.mark.usefixtures("single")


def attempt(lists):
    """Pretrain with each list of options; print the exit code and the errors of each as JSON."""
    import infomin.cli.pretrain  # noqa: F401  only the first command would say that it loads
    from infomin.__main__ import main

    for overrides in lists:
        sys.argv, errors = ["pretrain", *overrides], StringIO()
        with redirect_stdout(StringIO()), redirect_stderr(errors):
            with pytest.raises(SystemExit) as stop:
                main("pretrain")
        print(json.dumps([stop.value.code, errors.getvalue()]), flush=True)


def assert_refused(folder, shared, cases):
    """Expect one line that holds the message of each case, and no run."""
    shared = ["budget=smoke", f"out={folder / 'runs'}", *shared]
    process = Process(folder / "logs", attempt, [[*shared, *case.split()] for case in cases])
    assert process.wait(900) == 0, process.err
    outcomes = [json.loads(line) for line in process.out.splitlines()]
    for (case, message), (code, line) in zip(cases.items(), outcomes, strict=True):
        assert code == 2 and line.startswith("error: ") and line.count("\n") == 1, (case, line)
        assert message in line, case
    assert not list((folder / "runs").glob("*/*"))


@pytest.mark.slow
def test_options_wrong_in_themselves_are_refused_before_any_image_is_read(tmp_path):
    cases = {
        "augment.scale=[0,1]": "augment.scale: expected 0 < low <= high <= 1, got",
        "augment.flip=2": "augment.flip: expected a probability, got 2",
        "photometric.brightness=-1": "photometric.brightness: expected at least 0, got -1",
        "randaugment=infomin randaugment.m=11": "randaugment.m: expected a magnitude within",
        "system=moco memory.size=7": "memory.size: expected at least a batch, 8, got 7",
        "system=moco memory.momentum=1": "memory.momentum: expected a share within [0, 1), got",
        "system=moco memory.groups=3": "memory.groups: expected a divisor of the 8 images of a",
        "system=pirl jigsaw.beta=2": "jigsaw.beta: expected a weight within [0, 1], got 2",
        "system=pirl jigsaw.flip=x": "jigsaw.flip: expected a probability, got x",
        "system=pirl +jigsaw.grid=4": "jigsaw: JigSaw.__init__() got an unexpected keyword",
        "+memory.foo=1": "memory: none takes no options, got foo; set memory=bank or",
        "memory=bank +memory.foo=1": "error: memory=bank: ",
        "+loss.foo=1": "error: loss=infonce: ",
        "loss.name=l3": "loss: expected one of infonce, logistic, triplet, got 'l3'",
        "graph=ring": "graph: expected one of full, core, one_way, own, got 'ring'",
        "monitor.images=3": "monitor.images: expected a whole number of at least 16, got 3",
    }
    data = ("data=image_folder", "data.root=nowhere", "pretrain.batch=8")
    assert_refused(tmp_path, data, cases)


@pytest.mark.slow
def test_a_wrong_generator_or_combination_is_one_line(tmp_path):
    good, channels, values, names, card, weights = (tmp_path / f"g{i}" for i in range(6))
    for folder in (good, card, weights):
        ViewGenerator().save(folder)
    ViewGenerator(4).save(channels)
    ViewGenerator(value_range=(0, 4095)).save(values)
    ViewGenerator(channel_names="BGR").save(names)
    edit(card / "card.json", training={"i_nce": 0})
    spoil(weights / "model.safetensors", "truncated")
    choose = "views.table=false photometric=simclr views.generator="
    combine = f"{choose}{good} views.combine."
    cases = {
        f"{choose}{channels}": "takes 4 channels within [0.0, 1.0] (channel_0, channel_1, channel_",
        f"{choose}{values}": "takes 3 channels within [0.0, 4095.0] (R, G, B), data scenes has 3 ",
        f"{choose}{names}": "(B, G, R), data scenes has 3 within [0.0, 1.0] (R, G, B); declare",
        f"{choose}{card}": "is not the card that was saved with model.safetensors",
        f"{choose}{weights}": "is damaged",
        f"{choose}{tmp_path / 'nowhere'}": "expected a folder or a name of this package, got",
        f"{combine}order=first": "views.combine.order: expected one of after, before, got 'first'",
        f"{combine}p=2": "views.combine.p: expected a probability, got 2",
        f"{combine}views=[2]": "views.combine.views: expected all, or some of [0, 1], got [2]",
    }
    data = ("data=scenes", "data.train=64", "data.test=32", "views=learned")
    assert_refused(tmp_path, data, cases)
