"""Any path of the file system comes out of Hydra and OmegaConf as it was typed."""

import re
import shlex
from pathlib import Path

import pytest
from composing import composed
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from refusal import refused

from infomin.cli import CONF, main
from infomin.cli.plainly import one_line
from infomin.core.path_options import escaped, for_hydra, has_paths, override
from infomin.experiments.tables import shareable_command
from infomin.runs import settings

STRANGE = [
    *("Müller", "Mu\u0308ller", "猫", "photos 2024", " blanks ", "cats & dogs", "a (1)", "a=b"),
    *("run#1", "#1", "a,b", "a;b", "wow!", "a~b", "~x y", "[x]", "{x}", "(", "[", "{", "}", "$"),
    *("${x}", "a${x}b", "\\${x}", "\\\\${x}", "${", "$HOME", "%", "50%", "a:b", "@x", "+x", "-x"),
    *(
        "'",
        '"',
        "it's",
        'a"b',
        "'a'b'",
        '"a"b"',
        "\\",
        "C:\\data\\",
        '\\"',
        "a\\'b",
        "a\nb",
        "a\tb",
    ),
    *("2024", "007", "1_000", "1e3", ".5", "0x10", "2024-01-01", "12:30", "yes", "no", "on", "."),
    *("True", "false", "NaN", "inf", "a*b?", "|", "<x>", "`x`", "^", "m\udcfcll", "choice(a,b)"),
    *("a.yaml", "--help", "é" * 100),
]
PARSER = OverridesParser.create()


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(word):
    """The value of a word as Hydra puts it into a configuration and commands take it out."""
    cfg = OmegaConf.create({"value": None})
    OmegaConf.update(cfg, "value", PARSER.parse_override(word).value())
    return main.plain(cfg)["value"]


def swept(word):
    """The values of a word in a command that runs several times."""
    jobs = BasicSweeper.split_arguments(PARSER.parse_overrides([for_hydra(word, True)]), None)
    return [read(word) for job in jobs[0] for word in job]


def test_every_option_that_is_a_folder_is_known():
    """By its comment in `conf/`: one that `path_options` lacks fails here."""
    described = re.compile(r"^( *)(\w+): [^#\n]*# (.*)", re.MULTILINE)
    for path in CONF.rglob("*.yaml"):
        group = path.parent.name
        for indent, name, meaning in described.findall(path.read_text(encoding="utf-8")):
            if (group in ("data", "views") or path.parent == CONF) and name != "resume":
                option = f"{group}.{name}" if group in ("data", "views") else name
                known = meaning.startswith(
                    ("folder", "file of", "documents to", "given generators")
                )
                assert has_paths(option) == known, (path, indent + name)


@pytest.mark.parametrize("path", STRANGE)
def test_a_path_comes_back_as_it_was_typed(path):
    assert read(for_hydra(f"data.root={path}")) == path
    assert read(for_hydra(f"+views.generator=/data/{path}/x")) == f"/data/{path}/x"
    assert swept(f"out={path}") == [path]


@pytest.mark.parametrize("path", STRANGE)
def test_what_a_grid_types_is_this_path_for_hydra_and_for_us(path):
    word = override("out", path)
    assert PARSER.parse_override(word).value() == path
    assert read(for_hydra(word)) == path
    views = override("data.views", {"rgb": path, "depth": "b"})
    assert read(for_hydra(views)) == {"rgb": path, "depth": "b"}


@pytest.mark.parametrize("path", STRANGE)
def test_a_path_comes_back_from_the_record_of_a_run(path):
    cfg = OmegaConf.create(escaped({"data": {"root": path}, "write": [path]}))
    assert main.instantiate(OmegaConf.create(escaped({"_target_": "builtins.dict", "x": path})))
    assert OmegaConf.to_container(cfg, resolve=True) == {"data": {"root": path}, "write": [path]}
    text = OmegaConf.to_yaml(cfg, resolve=True)
    assert settings.read(text)["data"]["root"] == path


@pytest.mark.parametrize("path", [path for path in STRANGE if not {*path} & {*",\n"}])
def test_lists_and_mappings_hold_any_path_without_a_comma(path):
    path = path.strip()  # quotes keep blanks
    assert read(for_hydra(f"write=[{path}, b.md]")) == [path, "b.md"]
    assert read(for_hydra(f"data.views={{rgb: {path}, depth: b}}")) == {"rgb": path, "depth": "b"}
    if path != "[x]":
        assert read(for_hydra(f"write={path}")) == [path]


def test_quotes_hold_commas_and_blanks():
    assert read(for_hydra("data.views={rgb: \"a, b\", depth: ' c'}")) == {
        "rgb": "a, b",
        "depth": " c",
    }
    assert read(for_hydra("write=['a,b',\"c\"]")) == ["a,b", "c"]
    assert read(for_hydra("write=[]")) == []


def test_a_value_in_quotes_is_what_they_hold_unless_it_is_a_path_itself(here):
    for word in ('data.root="a b"', "data.root='a b'"):
        assert read(for_hydra(word)) == "a b"
    (here / '"a b"').mkdir()
    assert read(for_hydra('data.root="a b"')) == '"a b"'


def test_null_and_flags_stay_what_they_are_unless_such_a_folder_exists(here):
    assert read(for_hydra("data.cache=null")) is None
    assert read(for_hydra("data.root=./null")) == "./null"
    assert read(for_hydra("out=null")) == "null"
    (here / "null").mkdir()
    assert read(for_hydra("data.root=null")) == "null"
    assert read(for_hydra("resume=true")) is True
    assert read(for_hydra("resume=./true")) == "./true"
    assert read(for_hydra("data.root=???")) == "./???"
    with refused("data.root: expected a path, got nothing; give one, or leave out data.root="):
        for_hydra("data.root=")


def test_other_words_stay_as_they_are():
    for word in ("seed=0,1", "labels=0.1", "channel_names=[R,G]", "-m", "~data.cache", "views=raw"):
        assert for_hydra(word) == word


def test_commas_separate_what_several_runs_read_unless_such_a_path_exists(here):
    assert swept("data.root=a b,ü") == ["a b", "ü"]
    assert swept('data.root="a,b",c') == ["a,b", "c"]
    assert swept("views.generator=photos-semi-rgb,./x") == ["photos-semi-rgb", "./x"]
    assert swept("generators.mine=a b,ü") == ["a b", "ü"]
    assert swept("out=a,b") == ["a,b"]
    (here / "a,b").mkdir()
    assert swept("data.root=a,b") == ["a,b"]


@pytest.mark.parametrize("option", ["data.root", "out", "generator", "data.cache", "resume"])
def test_a_tilde_is_home(monkeypatch, option):
    monkeypatch.setenv("HOME", "/müller")
    assert read(for_hydra(f"{option}=~/my photos")) == "/müller/my photos"
    assert read(for_hydra(f"{option}=~")) == "/müller"
    assert read(for_hydra("write=[~/a.md]")) == ["/müller/a.md"]


def test_no_home_is_said(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    with refused(
        "^~/x: expected a home folder for ~, found none; set HOME, or give a path without"
    ):
        for_hydra("data.root=~/x")


def test_a_name_that_is_too_long_is_said():
    with refused("has a name that is too long for a file; choose a shorter one"):
        for_hydra(f"out=/data/{'é' * 200}")


def test_a_whole_command_composes():
    words = ["data=image_folder", "data.root=/a, b/${x}", "out=~/#1 (ü)"]
    cfg = composed("pretrain", *map(for_hydra, words))
    assert cfg.data.root == "/a, b/${x}" and main.plain(cfg)["out"].endswith("/#1 (ü)")


def test_a_shareable_command_hides_any_folder():
    words = ["x", 'data.root="/a b/c,d"', "views.generator=~/g (1)", "out=/q"]
    shown = shlex.split(shareable_command(words))
    assert shown == ["x", "data.root=PATH/c,d", "views.generator=PATH/g (1)"]


@pytest.mark.parametrize(
    ("word", "typed"),
    [
        ("system=c&m", """type 'system="c&m"'"""),
        ("data.layout=ü", """type 'data.layout="ü"'"""),
        ("data.channel_names=[Rot,Grün]", """as in 'data.channel_names=["A B","C"]'"""),
        ("/data/photos", "/data/photos: expected OPTION=VALUE; --help lists the options"),
    ],
)
def test_other_options_show_the_quotes_to_type(word, typed):
    with pytest.raises(Exception) as caught:
        composed("pretrain", word)
    assert typed in one_line(caught.value)
    if "type '" in typed:
        PARSER.parse_override(shlex.split(one_line(caught.value).split("type ")[1])[0])
