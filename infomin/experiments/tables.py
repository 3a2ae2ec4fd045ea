"""Tables of results, written from what runs recorded: mean ± standard deviation over seeds."""

import re
import shlex
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from infomin.core import files
from infomin.core.errors import InputError
from infomin.experiments.grid.cells import CROP
from infomin.experiments.grid.records import SCORES, Record
from infomin.runs.folder import PROVENANCE, RESULT

Row = dict[str, str]
_ALSO = {"knn": "kNN %", "pixel_accuracy": "pixel accuracy %"}
"""What is told beside a score."""
_PLACE = re.compile(r"((?:\w+\.)*(?:root|runs|pretrained|generator))=([^\",\]]+)")
"""An option that names a folder, by itself or in a list of overrides."""


def summary(records: Sequence[Record], against: Sequence[str] | None = None) -> list[Row]:
    """Return one row per (input, views, augmentation): scores, I_NCE, minutes, seeds.

    I_NCE is that of the pretrained encoders; beside it that of the game's own, smaller estimators
    on smaller crops. Where theirs is lower, g has fooled them rather than taken something away.
    Encoders that prediction trained, or nothing, have none.
    Where augmentations are compared, they have a column, and what the games were like has none.

    Arguments:
        records: of finished cells.
        against: (input, views) or (input, views, augmentation) of the row that accuracies are
            compared with, seed by seed: encoders of one seed start from the same weights and see
            the same crops, so that much of what differs between seeds is not in the difference.

    Raises:
        InputError: when no record is of that row.
    """
    reference = _reference(records, against)
    groups = _grouped(records)
    several = len({augmentation for _, _, augmentation in groups}) > 1
    rows = []
    for (color, views, augmentation), group in groups.items():
        rows.append(
            {
                "input": color,
                "views": views,
                **({"augmentation": augmentation} if several else {}),
                SCORES[group[0].judged_by].split(", ")[-1]: _spread(group, _per_cent, 1),
                **_compared(group, reference, against),
                **_also(group),
                "I_NCE held out, nats": _spread(group, lambda r: r.i_nce, 2),
                **({} if several else {"I_NCE in the game": _spread(group, _in_the_game, 2)}),
                "minutes": f"{statistics.mean(r.minutes for r in group):.1f}",
                "n": str(len(group)),
                **({} if several else {"collapsed": _collapsed(group)}),
            }
        )
    return rows


def layers(by_tap: Mapping[str, Mapping[str, float]]) -> list[Row]:
    """Return one row for what is read at every tap of a backbone, shares in per cent."""
    return [
        {"tap": tap, "top-1 %": f"{100 * told['top1']:.1f}", "kNN %": f"{100 * told['knn']:.1f}"}
        for tap, told in by_tap.items()
    ]


def markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """Return rows as a markdown table."""
    heads = list(rows[0])
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(row[head] for head in heads) + " |" for row in rows]
    return "\n".join(lines)


def plain(rows: Sequence[Mapping[str, str]]) -> str:
    """Return rows as aligned text."""
    heads = list(rows[0])
    widths = [
        max(len(row[head]) for row in [dict(zip(heads, heads, strict=True)), *rows])
        for head in heads
    ]
    lines = ["  ".join(head.ljust(w) for head, w in zip(heads, widths, strict=True))]
    lines += [
        "  ".join(row[head].ljust(w) for head, w in zip(heads, widths, strict=True)) for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def plus_minus(values: Sequence[float], digits: int, sign: str = "") -> str:
    """Return mean ± standard deviation, with a sign before it where `sign` is +."""
    if not values:
        return "-"
    mean = f"{statistics.mean(values):{sign}.{digits}f}"
    return f"{mean} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else mean


def made(command: str, provenances: Sequence[Mapping[str, Any]], minutes: float) -> str:
    """Say by what runs were made: command, commits, hardware, minutes."""
    commits = ", ".join(sorted({str(told["commit"]) for told in provenances}))
    machines = ", ".join(sorted({str(told["hardware"]) for told in provenances}))
    versions = ", ".join(sorted({f"torch {told['versions']['torch']}" for told in provenances}))
    return f"`{command}`, commit {commits}, {machines}, {versions}, {minutes:.0f} minutes of runs."


def origin(records: Sequence[Record], command: str) -> str:
    """Say where a table comes from: command, commits, hardware, protocol."""
    caps = sorted({f"{r.cap:.2f}" for r in records if r.cap is not None})
    capped = f"I_NCE cap log K = {', '.join(caps)}. " if caps else ""
    minutes = sum(r.minutes for r in records)
    return (
        f"{made(command, [r.provenance for r in records], minutes)} "
        f"Mean ± standard deviation over n seeds. {capped}"
        f"Protocol: {'; '.join(_protocols(records))}."
    )


def measured(run: Path, command: str) -> str:
    """Say where the table of a single run comes from: command, commit, hardware, minutes."""
    told, result = (files.read_json(run / name) for name in (PROVENANCE, RESULT))
    return (
        f"`{command}`, commit {told['commit']}, {told['hardware']}, "
        f"torch {told['versions']['torch']}, {result['seconds'] / 60:.1f} minutes."
    )


def shown(command: Sequence[str]) -> str:
    """Return a command as a document shows it, to be typed: without the paths of one machine."""
    places = ("out=", "to=", "write=", "jobs=", "data.cache=")
    told = [word for word in command if not word.startswith(places)]
    begun, *words = [_PLACE.sub(_without_place, word) for word in told]
    return " ".join([begun, *map(shlex.quote, words)])


def replace_section(path: Path, name: str, text: str) -> None:
    """Put text between `<!-- name -->` and `<!-- /name -->` of a document.

    Raises:
        InputError: when the document lacks these marks.
    """
    head, tail = around_section(path, name)
    files.write_bytes(path, f"{head}\n{text}\n{tail}".encode())


def around_section(path: Path, name: str) -> tuple[str, str]:
    """Return a document as far as the mark before a section, and from the mark behind it on.

    Raises:
        InputError: when the document lacks these marks.
    """
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    document = path.read_text(encoding="utf-8") if path.is_file() else ""
    head, found, rest = document.partition(begin)
    _, ended, tail = rest.partition(end)
    if not (found and ended):
        raise InputError(f"{path}: expected the marks {begin} and {end} around the table")
    return head + begin, end + tail


def _without_place(found: re.Match[str]) -> str:
    option, path = found.groups()
    return (
        f"{option}=PATH/{Path(path).name}" if Path(path).is_absolute() or ".." in path else found[0]
    )


def _grouped(records: Sequence[Record]) -> dict[tuple[str, str, str], list[Record]]:
    groups: dict[tuple[str, str, str], list[Record]] = {}
    for record in records:
        groups.setdefault(record.cell.row, []).append(record)
    return groups


def _protocols(records: Sequence[Record]) -> list[str]:
    """Return each protocol, and where there are several the rows that it is of."""
    rows: dict[str, list[Record]] = {}
    for record in records:
        rows.setdefault(str(record.judged["protocol"]), []).append(record)
    if len(rows) == 1:
        return [*rows]
    return [
        f"of {', '.join(dict.fromkeys(' '.join(r.cell.row) for r in group))}: {protocol}"
        for protocol, group in rows.items()
    ]


def _per_cent(record: Record) -> float:
    return 100 * record.score


def _also(group: Sequence[Record]) -> Row:
    """Return what else judges told, by its name in the head of a table."""
    told = [record.judged for record in group]
    found = {
        head: [judged[name] for judged in told] for name, head in _ALSO.items() if name in told[0]
    }
    for tap in told[0].get("layers", {}):
        found[f"{tap}, top-1 %"] = [judged["layers"][tap]["top1"] for judged in told]
    return {head: plus_minus([100 * value for value in v], 1) for head, v in found.items()}


def _collapsed(group: Sequence[Record]) -> str:
    return str(sum(bool(r.game and r.game["collapsed"]) for r in group))


def _in_the_game(record: Record) -> float | None:
    i_nce = record.game and record.game["i_nce"]
    return i_nce["value"] if i_nce else None


def _reference(records: Sequence[Record], against: Sequence[str] | None) -> dict[int, float]:
    """Return the accuracy of the row compared with, by seed."""
    found = {
        r.cell.seed: r.score for r in records if against and r.cell.row == (*against, CROP)[:3]
    }
    if against and not found:
        rows = sorted({f"[{', '.join(r.cell.row)}]" for r in records})
        raise InputError(f"against: expected one of {', '.join(rows)}, got {[*against]}")
    return found


def _compared(
    group: Sequence[Record], reference: Mapping[int, float], against: Sequence[str] | None
) -> Row:
    """Return the cell that compares, where there is something to compare with."""
    if not against:
        return {}

    def gain(record: Record) -> float | None:
        before = reference.get(record.cell.seed)
        return None if before is None else 100 * (record.score - before)

    color, views, *augmentation = against
    name = " ".join(["against", views, color, *augmentation])
    itself = group[0].cell.row == (*against, CROP)[:3]
    return {name: "-" if itself else _spread(group, gain, 1, "+")}


def _spread(
    group: Sequence[Record],
    value: Callable[[Record], float | None],
    digits: int,
    sign: str = "",
) -> str:
    return plus_minus([v for v in map(value, group) if v is not None], digits, sign)
