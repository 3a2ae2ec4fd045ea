"""Written tables: markdown and plain text, the sentence below them, sections of documents."""

import re
import shlex
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from infomin.core import files
from infomin.core.errors import InputError
from infomin.core.names import file_name
from infomin.core.path_options import is_path, unquoted
from infomin.runs.folder import PROVENANCE
from infomin.runs.lookup import RESULT

TextRow = dict[str, str]
_PATH = re.compile(r"((?:\w+\.)*(?:root|runs|pretrained|generator))=([^\",\]]+)")
"""An option that names a folder, in a list of overrides."""
_LOCAL = ("out=", "to=", "write=", "jobs=", "data.cache=")
"""Options that concern one machine only."""


def markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """Return rows as a markdown table."""
    heads = list(rows[0])
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(row[head] for head in heads) + " |" for row in rows]
    return "\n".join(lines)


def plain(rows: Sequence[Mapping[str, str]]) -> str:
    """Return rows as aligned text."""
    widths = {head: max(len(head), *(len(row[head]) for row in rows)) for head in rows[0]}
    lines = [dict(zip(widths, widths, strict=True)), *rows]
    return "\n".join(
        "  ".join(line[head].ljust(width) for head, width in widths.items()).rstrip()
        for line in lines
    )


def layers(by_tap: Mapping[str, Mapping[str, float]]) -> list[TextRow]:
    """Return one row per layer that was probed, shares in per cent."""
    columns = {"top-1 %": "top1", "kNN %": "knn"}
    return [
        {"tap": tap} | {head: f"{100 * scores[name]:.1f}" for head, name in columns.items()}
        for tap, scores in by_tap.items()
    ]


def plus_minus(values: Sequence[float], digits: int, sign: str = "") -> str:
    """Return mean ± standard deviation; `sign="+"` shows the sign of the mean."""
    if not values:
        return "-"
    mean = f"{statistics.mean(values):{sign}.{digits}f}"
    return f"{mean} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else mean


def describe_runs(command: str, provenances: Sequence[Mapping[str, Any]], minutes: float) -> str:
    """Return the command, commits, hardware and minutes of runs as a sentence."""
    commits, machines = (
        ", ".join(sorted({str(p.get(name, "unknown")) for p in provenances}))
        for name in ("commit", "hardware")
    )
    torches = {p.get("versions", {}).get("torch", "unknown") for p in provenances}
    versions = ", ".join(sorted(f"torch {version}" for version in torches))
    return f"`{command}`, commit {commits}, {machines}, {versions}, {minutes:.0f} minutes of runs."


def describe_run(folder: Path, command: str) -> str:
    """Return the command, commit, hardware and minutes of a single run as a sentence."""
    provenance, result = (files.read_json(folder / name) for name in (PROVENANCE, RESULT))
    return (
        f"`{command}`, commit {provenance['commit']}, {provenance['hardware']}, "
        f"torch {provenance['versions']['torch']}, {result['seconds'] / 60:.1f} minutes."
    )


def shareable_command(command: Sequence[str]) -> str:
    """Return a command to be typed elsewhere: without the paths of this machine."""
    words = [_shareable(word) for word in command if not word.startswith(_LOCAL)]
    return " ".join([*words[:1], *map(shlex.quote, words[1:])])


def write_report(
    folder: Path, name: str, text: str, figure: Figure, documents: Sequence[str]
) -> Path:
    """Write the table and the figure of a grid; return the path of the figure.

    Arguments:
        folder: of the grid; its name is that of the section in documents.
        name: of the figure.
        text: table and origin, as markdown.
        figure: saved as PNG; copied to `images/` beside the first document.
        documents: paths.
    """
    picture = files.make_folder(folder) / f"{file_name(name)}.png"
    files.write(picture, lambda stream: figure.savefig(stream, format="png"))
    files.write_text(folder / "table.md", text)
    for document in documents:
        replace_section(Path(document), folder.name, text)
    if documents:
        pictures = files.make_folder(Path(documents[0]).parent / "images")
        files.write_bytes(pictures / f"{folder.name}.png", picture.read_bytes())
    return picture


def replace_section(path: Path, name: str, text: str) -> None:
    """Write text between `<!-- name -->` and `<!-- /name -->` of a document.

    Raises:
        InputError: if the document lacks these markers.
    """
    before, after = split_section(path, name)
    files.write_text(path, f"{before}\n{text}\n{after}")


def split_section(path: Path, name: str) -> tuple[str, str]:
    """Return a document up to the marker before a section, and from the marker after it.

    Raises:
        InputError: if the document lacks these markers.
    """
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    document = files.read_text(path) if path.is_file() else ""
    before, has_begin, rest = document.partition(begin)
    _, has_end, after = rest.partition(end)
    if not (has_begin and has_end):
        raise InputError(f"{path}: expected the markers {begin} and {end}, got none; add them")
    return before + begin, end + after


def _shareable(word: str) -> str:
    """Return a word of a command with PATH in place of folders of this machine."""
    option, equals, path = word.partition("=")
    if equals and is_path(option):
        return _without_folder(option, unquoted(path))
    return _PATH.sub(lambda match: _without_folder(*match.groups()), word)


def _without_folder(option: str, path: str) -> str:
    local = Path(path).is_absolute() or path.startswith("~") or ".." in path
    return f"{option}=PATH/{Path(path).name}" if local else f"{option}={path}"
