"""The help of a command: groups and options with their meaning, from the comments in `conf/`."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from infomin.cli import CONF

WIDTH, COLUMN = 100, 34


def help_text(name: str, words: Sequence[str] = ()) -> str:
    """Return the help of the command with `conf/<name>.yaml`, for groups chosen by words."""
    groups, options = read(name)
    chosen_words = dict(word.split("=", 1) for word in words if "=" in word)
    groups = {group: chosen_words.get(group, usual) for group, usual in groups.items()}
    lines = [*textwrap.wrap(comment_above(CONF / f"{name}.yaml"), WIDTH), ""]
    lines += [f"usage: infomin {name.replace('_', '-')} [option=value ...]", ""]
    lines.append("groups, each one of the names behind it:")
    for group, chosen in groups.items():
        lines += row(f"{group}={chosen or 'null'}", ", ".join(names_of(group, name)))
    lines += ["", "options:"]
    for option, meaning in options.items():
        lines += row(option, meaning)
    lines += ["", "options of the chosen groups:"]
    for group, chosen in groups.items():
        if chosen is not None and (CONF / group / f"{chosen}.yaml").is_file():
            for option, meaning in options_of(CONF / group / f"{chosen}.yaml", group):
                lines += row(option, meaning)
    lines += [
        "",
        "data=image_folder --help lists the options of that choice, and so does every group.",
        "-m seed=0,1,2 runs several; --cfg job prints the whole configuration.",
    ]
    return "\n".join(lines)


def names_of_options(command: str) -> list[str]:
    """Return the names of the groups and options of a command."""
    groups, options = read(command)
    return [*groups, *(option.partition("=")[0] for option in options)]


def names_of(group: str, command: str) -> list[str]:
    """Return the names of a group; of experiments those that are for the command."""
    paths = sorted((CONF / group).glob("*.yaml"))
    if group == "experiment":  # grids of `report` have a name; others configure one run
        grids = command == "report"
        paths = [p for p in paths if grids == ("\nname: " in p.read_text(encoding="utf-8"))]
    return [path.stem for path in paths]


def read(name: str) -> tuple[dict[str, str | None], dict[str, str]]:
    """Return the groups of a command with their defaults, and its options with their meaning."""
    path = CONF / f"{name}.yaml"
    groups: dict[str, str | None] = {}
    options: dict[str, str] = {}
    for entry in yaml.safe_load(path.read_text(encoding="utf-8")).get("defaults", []):
        if isinstance(entry, str) and entry != "_self_":
            groups, options = read(entry)
        elif isinstance(entry, dict):
            ((group, chosen),) = entry.items()
            groups[group.removeprefix("override ").lstrip("/")] = chosen
    options.update(options_of(path, ""))
    return groups, options


def options_of(path: Path, group: str) -> Iterator[tuple[str, str]]:
    """Yield `option=default` and its comment for every option of a file."""
    text = path.read_text(encoding="utf-8")
    above: list[tuple[int, str]] = [] if "@package _global_" in text or not group else [(-1, group)]
    pending: tuple[str, list[str]] | None = None
    for line in text.splitlines():
        comment = line.partition("#")[2].strip()
        match = re.match(r"( *)([\w.]+): *([^#]*)", line)
        if not match:
            if pending and line.strip().startswith("#") and line.startswith(" " * 8):
                pending[1].append(comment)
            continue
        if pending:
            yield pending[0], " ".join(pending[1])
        pending = None
        indent, key, value = len(match[1]), match[2], match[3].strip()
        above = [part for part in above if part[0] < indent]
        if key in ("_target_", "_partial_", "defaults", "name") or line.startswith("  - "):
            continue
        option = ".".join([*(part for _, part in above), key])
        if value:
            pending = (f"{option}={value}", [comment] if comment else [])
        else:
            above.append((indent, key))
    if pending:
        yield pending[0], " ".join(pending[1])


def comment_above(path: Path) -> str:
    """Return the comment at the top of a file as one line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    top = [line.lstrip("# ") for line in lines[: next_content(lines)] if "@package" not in line]
    return " ".join(top)


def next_content(lines: list[str]) -> int:
    """Return the number of the first line that is no comment."""
    return next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))


def row(option: str, meaning: str) -> list[str]:
    """Return an option and its meaning, wrapped."""
    first = f"  {option:<{COLUMN - 2}}"
    if len(first) > COLUMN or first[-1] != " ":
        indent = " " * COLUMN
        return [
            f"  {option}",
            *textwrap.wrap(meaning, WIDTH, initial_indent=indent, subsequent_indent=indent),
        ]
    return textwrap.wrap(first + meaning, WIDTH, subsequent_indent=" " * COLUMN) or [first.rstrip()]
