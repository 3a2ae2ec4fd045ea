"""Strips of views: what the encoders of a row saw, as its first run drew it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image as Picture

from infomin.core import files
from infomin.core.page.pictures import embedded
from infomin.experiments.comparison import Row

FILE = Path("pictures") / "views.png"
SHOWN = 8
"""Rows of a table whose views are shown."""
_LARGEST, _PIXELS = 2**24, 2**24  # bytes of a file and pixels of a picture that is opened
_SIDE, _QUALITY = 1100, 72
_BROKEN = (OSError, ValueError, SyntaxError, Picture.DecompressionBombError)  # what Pillow raises


class Strip(NamedTuple):
    """A picture as a data URI, and the place of its row in the table, counted from 0."""

    row: int
    picture: str
    width: int
    height: int
    seed: int | None
    file: Path


def strips(rows: Sequence[Row], room: int) -> list[Strip]:
    """Return a strip for each of the first rows that has one, as far as there is room.

    Arguments:
        rows: in the order of the table.
        room: bytes of all of them.
    """
    found: list[Strip] = []
    for i, row in enumerate(rows[:SHOWN]):
        for run in row.runs:
            drawn = _drawn(run.folder / FILE)
            if drawn is not None and len(drawn[0]) <= room:
                room -= len(drawn[0])
                found.append(Strip(i, *drawn, run.seed, run.folder / FILE))
                break
    return found


def _drawn(path: Path) -> tuple[str, int, int] | None:
    """Return a picture made smaller, None for what is none, or is larger than any honest one."""
    if files.unreadable(path, _LARGEST):
        return None
    try:
        with Picture.open(path, formats=["PNG"]) as image:
            if image.width * image.height > _PIXELS:
                return None
            colored = image.convert("RGB")
        return embedded(colored, _QUALITY, _SIDE), *colored.size
    except _BROKEN:
        return None
