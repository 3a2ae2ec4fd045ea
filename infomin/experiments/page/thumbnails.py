"""Thumbnails of the views of each row, from the picture that a run saved."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image as Picture

from infomin.core import files
from infomin.core.page.pictures import embedded
from infomin.experiments.results import ResultRow

FILE = Path("pictures") / "views.png"
_MOST_ROWS = 8
_MOST_BYTES, _MOST_PIXELS = 2**24, 2**24  # of a picture that is opened
_SIDE, _QUALITY = 1100, 72
_BROKEN = (OSError, ValueError, SyntaxError, Picture.DecompressionBombError)  # what Pillow raises


class Thumbnail(NamedTuple):
    """A picture as a data URI, and the index of its row."""

    row: int
    picture: str
    width: int
    height: int
    seed: int | None
    file: Path


def thumbnails(rows: Sequence[ResultRow], room: int) -> list[Thumbnail]:
    """Return a thumbnail for each of the first rows, as far as they fit into `room` bytes."""
    results: list[Thumbnail] = []
    for i, row in enumerate(rows[:_MOST_ROWS]):
        for record in row.records:
            file = record.run.folder / FILE
            thumbnail = _read(file)
            if thumbnail is not None and len(thumbnail[0]) <= room:
                room -= len(thumbnail[0])
                results.append(Thumbnail(i, *thumbnail, record.seed, file))
                break
    return results


def _read(path: Path) -> tuple[str, int, int] | None:
    """Return a smaller picture and its size; None if the file is not a picture or too large."""
    if files.reason_not_to_read(path, _MOST_BYTES):
        return None
    try:
        with Picture.open(path, formats=["PNG"]) as image:
            if image.width * image.height > _MOST_PIXELS:
                return None
            colored = image.convert("RGB")
        return embedded(colored, _QUALITY, _SIDE), *colored.size
    except _BROKEN:
        return None
