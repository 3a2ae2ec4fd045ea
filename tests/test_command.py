"""The command `infomin`: its list of commands, its help, and what it refuses."""

import sys

import pytest

from infomin import __version__
from infomin.__main__ import commands, main, said_to_start


@pytest.fixture
def typed(monkeypatch, capsys):
    def run(*words):
        monkeypatch.setattr(sys, "argv", ["infomin", *words])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_commands_are_listed_with_what_they_do(typed):
    for words in ((), ("--help",), ("help",)):
        code, out, _ = typed(*words)
        assert code == 0
        for name in ("learn-views", "pretrain", "evaluate", "export-generator", "demo"):
            assert f"\n  {name}" in out
    assert typed("--version")[1] == f"infomin {__version__}\n"
    assert "share_factors" not in commands(), "studies are not in the package"


def test_help_lists_groups_and_options_with_their_meaning(typed):
    code, out, _ = typed("pretrain", "--help")
    assert code == 0 and max(map(len, out.splitlines())) <= 100
    assert "method=auto" in out and "byol, cmc, instdis" in out
    assert "epochs=" in out and "passes over all training images" in out
    assert "data.value_range" not in out
    chosen = typed("pretrain", "data=image_folder", "--help")[1]
    assert "data.root=null" in chosen and "data.value_range=null" in chosen
    assert "table5" not in out, "grids are not experiments of one run"
    assert "table5" in typed("report", "--help")[1]
    for name in commands():
        assert typed(name.replace("_", "-"), "--help")[0] == 0


def test_an_unknown_command_is_refused_with_the_known_ones(typed):
    code, out, err = typed("pretrian")
    assert (code, out) == (2, "") and err.startswith("error: infomin has no command 'pretrian'; it")
    assert "learn-views" in err and err.count("\n") == 1


def test_slow_starts_are_announced_and_fast_ones_are_not(capsys):
    import time

    with said_to_start("pretrain", after=0.05, every=0.1):
        time.sleep(0.4)
    with said_to_start("pretrain", after=5):
        pass
    first, *more = capsys.readouterr().err.splitlines()
    assert first == "infomin pretrain: loading libraries" and len(more) >= 2
    assert set(more) == {f"{first}, 0 s"}
