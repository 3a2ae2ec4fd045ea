"""Any folder is refused in one line or loads as what was saved; nothing runs, grows or changes."""

import json
import os
import pickle
import random
import shutil
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path
from threading import Thread

import pytest
import torch
from forged import FORGED, HARMLESS, OF_A_GENERATOR, OF_AN_ENCODER, forged_claims
from hostile import BYTES, PLACES, TENSORS
from hostile_cards import CARDS
from refusal import refused

from infomin import ViewGenerator, load_generator
from infomin.core import files
from infomin.core.card import build_on_meta
from infomin.core.errors import InputError
from infomin.models import build_encoders
from infomin.models.pretrained_encoder import PretrainedEncoder
from infomin.views import LearnedViews

pytestmark = pytest.mark.usefixtures("single")

HOSTILE = [*BYTES, *TENSORS, *CARDS, *PLACES]
FLOW = {"kind": "affine", "blocks": 1, "hidden": 4, "layers": 1, "mixing": "orthogonal"}
FLOW |= {"mix_output": False, "log_scale_bound": 2.0}
ENCODER = {"name": "fourconv", "size": 8, "dim": 4, "widths": [4], "pools": 1, "normalize": True}


def disturbed(module):
    """Give weights that no initialisation gives."""
    for w in module.parameters():
        torch.nn.init.normal_(w, std=0.3)
    return module


def save(kind, folder):
    g = disturbed(ViewGenerator(flow=FLOW))
    if kind == "generator":
        return g.save(folder, {"seed": 1, "i_nce": [2.5, 1.5], "data": "photos"})
    encoders = disturbed(build_encoders(view_channels=g.view_channels, **ENCODER))
    return PretrainedEncoder(LearnedViews(g), encoders, ENCODER).save(folder, {"seed": 1})


def state(root):
    """Describe everything below a folder, without following links."""
    entries = {}
    for path in sorted([root, *root.rglob("*")]):
        about = path.lstat()
        whole = stat.S_ISREG(about.st_mode) and about.st_size < 10**7
        content = path.read_bytes() if whole else path.is_symlink() and path.readlink()
        entries[path] = about.st_mode, about.st_size, about.st_mtime_ns, content
    return entries


def open_all(kind, tmp_path, mutations):
    """Make a folder with every mutation, open them elsewhere, and return what came of each."""
    good, root = save(kind, tmp_path / "good"), tmp_path / "folders"
    for name, mutate in mutations.items():
        shutil.copytree(good, root / name)
        mutate(random.Random(name), root / name)
    before = state(tmp_path)
    command = [sys.executable, str(Path(__file__).with_name("opening.py")), kind, good, root]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-300:]
    assert state(tmp_path) == before
    *outcomes, memory = done.stdout.splitlines()
    assert int(memory) < 200e6
    return [json.loads(line) for line in outcomes]


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "rounds"), [("generator", 12), ("encoder", 7)])
def test_hostile_folders(tmp_path, kind, rounds):
    forged = [*FORGED, *{"generator": OF_A_GENERATOR, "encoder": OF_AN_ENCODER}[kind]]
    mutations = {
        f"{mutate.__name__}-{seed}": mutate
        for mutate in [*HOSTILE, *forged, *HARMLESS]
        for seed in range(rounds)
    }
    claims = forged_claims(kind)
    outcomes = open_all(kind, tmp_path, mutations | claims)
    assert len(outcomes) == len(mutations) + len(claims)
    for name, outcome, text in outcomes:
        assert outcome in ("refused", "the same"), f"{name}: {outcome} {text}"
        assert outcome == "refused" or name not in claims, name
        assert text.isprintable() and len(text) <= 500, f"{name}: {text!r}"
    counts = Counter((name.split("-")[0], outcome) for name, outcome, _ in outcomes)
    for mutation in forged:
        assert counts[mutation.__name__, "refused"] == rounds, mutation.__name__
    for mutation in HARMLESS:
        assert counts[mutation.__name__, "the same"] == rounds, mutation.__name__
    for mutation in HOSTILE:
        assert counts[mutation.__name__, "refused"] > rounds / 2, mutation.__name__


def test_names_with_path_characters_are_names(tmp_path):
    names = ["../../x", "/etc/passwd", "a b\\c"]
    g = ViewGenerator(channel_names=names)
    assert load_generator(g.save(tmp_path / "g")).channel_names == tuple(names)
    assert [path.name for path in tmp_path.iterdir()] == ["g"]


def test_a_text_is_one_line_whatever_it_quotes():
    text = str(InputError("a\nb\r\x1b[2J\u202e\ud800 é"))
    assert text == "a b  [2J   é"
    assert pickle.loads(pickle.dumps(InputError("a\nb"))).args == ("a b",)
    long = str(InputError("x" * 400 + "y" * 10**6 + "z" * 400))
    assert long == "x" * 300 + " ... " + "z" * 195


def test_a_file_that_may_never_end_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    (tmp_path / "good").write_bytes(b"123")
    (tmp_path / "good link").symlink_to("good")
    for name in ("pipe", "link", "."):
        assert files.reason_not_to_read(tmp_path / name, 10) == "is no regular file"
    assert files.reason_not_to_read(tmp_path / "none", 10) == "is missing there"
    assert (
        files.reason_not_to_read(tmp_path / "good", 2) == "has 3 bytes, which is not within 1 to 2"
    )
    assert "File name too long" in files.reason_not_to_read(tmp_path / ("x" * 300), 10)
    assert files.reason_not_to_read(tmp_path / "good", 3) is None
    assert files.reason_not_to_read(tmp_path / "good link", 3) is None


def test_a_sketch_has_shapes_and_no_more_weights_than_there_are():
    weights = {"0.weight": torch.empty(3, 2), "0.bias": torch.empty(3)}
    with build_on_meta(weights):
        thread = Thread(target=lambda: torch.nn.Linear(2, 3))
        thread.start()
        thread.join()
        sketch = torch.nn.Linear(2, 10**9)
    assert sketch.weight.is_meta and sketch.weight.shape == (10**9, 2)
    with refused("asks for more than the 2 weights there are"), build_on_meta(weights):
        [torch.nn.Linear(2, 3) for _ in range(2)]
    assert not torch.nn.Linear(2, 3).weight.is_meta


def test_what_could_not_be_loaded_is_not_saved(tmp_path):
    g = ViewGenerator()
    with torch.no_grad():
        g.flow.flows[0].generator[0, 0] = torch.nan
    with refused("flow.flows.0.generator holds NaN or infinity: its training diverged; nothing"):
        g.save(tmp_path / "diverged")
    g = ViewGenerator()
    with refused(r"cannot be saved: card.json has \d+ bytes, which is not within 1 to 1048576"):
        g.save(tmp_path / "long", {"history": list(range(2 * 10**5))})
    assert not list(tmp_path.iterdir())
