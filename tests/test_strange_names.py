"""Names that are no UTF-8, too long or not ASCII: shown, recorded and never the end of a run."""

import ast
import errno
import io
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from refusal import picture, refused

from infomin import data
from infomin.core import files
from infomin.core.errors import InputError, InputWarning
from infomin.core.names import accept_any_name, file_name, printable
from infomin.core.page.text import as_text
from infomin.runs.folder import Run
from infomin.runs.pictures import strips_picture

ROOT = Path(__file__).parent.parent
BYTES = os.fsdecode(b"m\xfcll")
"""A name in Latin-1, as old archives have it."""
HALF = "\ud83d"
"""Half of an emoji, as JSON can hold it."""


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Müller 猫", "Müller 猫"),
        (BYTES, "m\\xfcll"),
        (HALF, " "),
        ("a\nb\tc\x00d\x1b[1m", "a b c d [1m"),
        (os.fsdecode("ü".encode()[:1]) + "b", "\\xc3b"),
    ],
)
def test_a_name_is_shown_on_one_line_that_is_utf8(name, shown):
    assert printable(name) == as_text(name) == str(InputError(name)) == shown
    assert printable(shown) == shown and shown.encode()


@pytest.mark.parametrize("name", ["x", "Müller", "a/b", BYTES, "é" * 300, "a" * 120, "\n"])
def test_a_name_becomes_the_name_of_a_file(tmp_path, name):
    (tmp_path / file_name(name)).mkdir()
    assert len(file_name(name).encode()) <= 120
    assert file_name(name) == name or "/" in name or not name.isprintable() or len(name) > 120


def test_long_names_that_begin_alike_differ():
    assert len({file_name("a" * 150 + end) for end in "bcd"}) == 3


@pytest.mark.parametrize("name", ["n" * 255, "é" * 127, BYTES, "Müller", "a b"])
def test_files_of_any_name_are_written_and_leave_nothing_else(tmp_path, name):
    files.write_text(tmp_path / name, f"{name} {HALF}")
    assert files.read_text(tmp_path / name).startswith(name[:1])
    files.write_json(tmp_path / name, {"name": name})
    assert files.read_json(tmp_path / name) == {"name": name}
    with files.new_folder(tmp_path / "in" / name) as folder:
        (folder / "x").touch()
    assert [path.name for path in tmp_path.iterdir()].sort() == [name, "in"].sort()
    assert [path.name for path in (tmp_path / "in").iterdir()] == [name]
    with refused("cannot be the name of a folder"), files.new_folder(tmp_path / ("n" * 256)):
        pass


def test_text_of_another_encoding_is_said(tmp_path):
    (tmp_path / "a.md").write_bytes(b"m\xfcll")
    with refused("a.md: expected text in UTF-8, got another encoding .*; save it as UTF-8"):
        files.read_text(tmp_path / "a.md")


def test_a_full_disk_appends_nothing(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("of Linux")
    (tmp_path / "log").symlink_to("/dev/full")
    with refused("log: could not be written .No space left on device.; free some space"):
        files.append(tmp_path / "log", "a line\n")
    code = (
        "import resource, signal, sys; from pathlib import Path; from infomin.core import files\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
        "files.append(Path(sys.argv[1]), 'a line\\n')\n"
        "files.append(Path(sys.argv[1]), 'another\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "short"], capture_output=True)
    assert b"InputError" in done.stderr and (tmp_path / "short").read_bytes() == b"a line\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_stream_takes_every_name(encoding):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    accept_any_name(stream, io.StringIO())
    print(f"Müller 猫 {BYTES} {HALF}", file=stream, flush=True)


def test_a_data_set_has_names_that_everything_can_hold(tmp_path):
    for i in range(6):
        picture(tmp_path / BYTES / BYTES / f"{i}.png")
        picture(tmp_path / BYTES / "b" / f"{i}.png")
    cache = str(tmp_path / "cache")
    first, again = (data.image_folder(str(tmp_path / BYTES), 8, cache=cache) for _ in range(2))
    assert first.name == again.name == "m\\xfcll"
    assert first.classes == again.classes == ("b", "m\\xfcll")


def test_the_cache_of_a_long_name_is_used_again(tmp_path):
    root = tmp_path / ("é" * 127)
    for i in range(6):
        picture(root / f"{i}.png")
    for _ in range(2):
        data.image_folder(str(root), 8, cache=str(tmp_path / "cache"))
    assert len(list((tmp_path / "cache").iterdir())) == 1


@pytest.mark.parametrize("missing", ["home", "room", "permission"])
def test_images_are_used_where_they_cannot_be_cached(tmp_path, monkeypatch, missing):
    for i in range(6):
        picture(tmp_path / "set" / f"{i}.png")
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ("file" if missing != "room" else "cache")))
    if missing == "home":
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setattr(Path, "home", no_home)
    if missing == "room":
        monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.warns(InputWarning, match="the images are not cached, .* data.cache=FOLDER names"):
        assert len(data.image_folder(str(tmp_path / "set"), 8).train) == 5
    assert not [*(tmp_path / "cache").rglob("*.*")]
    monkeypatch.undo()
    with refused("file: this folder cannot be written"):
        data.image_folder(str(tmp_path / "set"), 8, cache=str(tmp_path / "file"))


def no_home():
    raise RuntimeError("Could not determine home directory.")


def full_disk(descriptor):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_given_cache_needs_no_home(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "home", no_home)
    for i in range(6):
        picture(tmp_path / "set" / f"{i}.png")
    data.image_folder(str(tmp_path / "set"), 8, cache=str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    data.image_folder(str(tmp_path / "set"), 8)
    assert len([*tmp_path.rglob("*.safetensors")]) == 2


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("name", [BYTES, HALF, "猫", "$x$ \\frac", "x" * 100])
def test_a_run_of_any_name_is_drawn_and_recorded(tmp_path, name):
    run = Run.open(str(tmp_path / BYTES), "pretrain", name, f"data: '{printable(name)}'\n")
    shown = replace(data.scenes(size=8, train=4, test=4), name=name).name
    figure = strips_picture([("images", torch.rand(4, 3, 8, 8))], shown)
    assert run.save_picture("views", figure).is_file()
    run.finish({"data": name})
    assert files.read_json(run.folder / "result.json")["data"] == name
    assert any("events" in path.name for path in run.folder.iterdir())


def test_a_stranger_beside_a_run_to_resume_does_not_matter(tmp_path):
    for number, content in enumerate((b"m\xfcll: 1\n", "a: ü\n".encode())):
        folder = tmp_path / "pretrain" / str(number)
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_bytes(content)
    assert Run.open(str(tmp_path), "pretrain", "x", "a: ü\n", resume=True).folder.name == "1"
    with refused("resume: no unfinished run of this configuration in"):
        Run.open(str(tmp_path), "pretrain", "x", "b: 1\n", resume=True)


def reads_text(call):
    """Whether a call reads or writes text without an encoding."""
    name = getattr(call.func, "attr", "open" if getattr(call.func, "id", "") == "open" else "")
    of = getattr(getattr(call.func, "value", None), "id", "")
    options = {keyword.arg for keyword in call.keywords}
    if "encoding" in options or of in ("files", "os", "Picture", "Image", "Run"):
        return False
    words = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    if name == "open":
        return not any("b" in mode for mode in words)
    return name in ("read_text", "write_text", "fdopen") or "text" in options


@pytest.mark.parametrize("folder", ["infomin", "studies", "benchmarks", "scripts"])
def test_every_text_is_read_and_written_as_utf8(folder):
    for path in (ROOT / folder).rglob("*.py"):
        calls = [n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Call)]
        assert not [call.lineno for call in calls if reads_text(call)], path
