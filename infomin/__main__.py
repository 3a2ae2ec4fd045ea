"""The command `infomin`, which is also `python -m infomin`, and the entry of every script."""

import ast
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from infomin import __version__
from infomin.core.names import accept_any_name
from infomin.core.ranks import is_first_process

HERE = Path(__file__).parent
ALIASES = {"demo": ["report", "experiment=demo"], "linear-eval": ["evaluate"]}
"""Commands that are another one with some words."""


def main(script: str | None = None) -> None:
    """Run a command.

    Arguments:
        script: name of the command that a script is for; None takes it from the first word.
    """
    accept_any_name(sys.stdout, sys.stderr)
    words = sys.argv[1:]
    if script is None:
        if not words or words[0] in ("-h", "--help", "help"):
            print(usage())
            return
        if words[0] in ("--version", "version"):
            print(f"infomin {__version__}")
            return
    name, *rest = [script, *words] if script else words
    name, *added = ALIASES.get(name.replace("_", "-"), [name])
    module = name.replace("-", "_")
    if module not in commands():
        print(f"error: infomin has no command {name!r}; it has {listed()}", file=sys.stderr)
        sys.exit(2)
    if {"-h", "--help"} & {*rest}:
        from infomin.cli.help import help_text

        print(help_text(module, rest))
        return
    prefix = [] if script else [name.replace("_", "-")]
    sys.argv[1:] = [*added, *rest]
    with said_to_start(name.replace("_", "-")):
        import_module(f"infomin.cli.{module}")
        from infomin.cli.main import COMMANDS
    COMMANDS[module](prefix)


def commands() -> dict[str, str]:
    """Return the first sentence of every command by its module: those with a configuration."""
    from infomin.cli import CONF

    texts = {}
    for path in sorted((HERE / "cli").glob("*.py")):
        if (CONF / path.name).with_suffix(".yaml").is_file():
            text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            texts[path.stem] = text.split("\n\n")[0].replace("\n", " ")
    return texts


def listed() -> str:
    """Return the names of the commands, separated by commas."""
    return ", ".join([*(name.replace("_", "-") for name in commands()), "demo"])


def usage() -> str:
    """Return the help of `infomin` itself."""
    rows = {name.replace("_", "-"): text for name, text in commands().items()}
    rows["demo"] = "Learn views on built-in photographs and compare them with raw views."
    lines = [f"  {name:<22}{text}" for name, text in rows.items()]
    return "\n".join(
        [
            f"infomin {__version__}: learn which views to contrast",
            "",
            "usage: infomin COMMAND [option=value ...]",
            "",
            *lines,
            "",
            "infomin COMMAND --help lists the options of a command.",
        ]
    )


@contextmanager
def said_to_start(name: str, after: float = 1.0, every: float = 4.5) -> Iterator[None]:
    """Say that libraries are loaded when it takes longer than some seconds, and go on saying it."""
    ended = threading.Event()

    def say() -> None:
        began, wait = time.monotonic(), after
        while not ended.wait(wait):
            passed = f", {time.monotonic() - began:.0f} s" if wait == every else ""
            print(f"infomin {name}: loading libraries{passed}", file=sys.stderr, flush=True)
            wait = every

    if is_first_process():
        threading.Thread(target=say, daemon=True).start()
    try:
        yield
    finally:
        ended.set()


if __name__ == "__main__":
    main()
