"""Training curves and thumbnails of the views, from the files of a run that a page shows."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image as Picture

from infomin.core import files
from infomin.core.page.pictures import embedded
from infomin.core.page.text import is_number
from infomin.experiments.figures import Points
from infomin.experiments.results import ResultRow
from infomin.experiments.run_index import FinishedRun
from infomin.runs.folder import METRICS

VIEWS = Path("pictures") / "views.png"
_MOST_LOGGED = 2**25  # bytes of a log; 32 MB are 1.5 million steps
_BATCH = ("pretrain.batch", "game.batch")  # K of the loss in training
_UNITS = {"triplet": "cosine", "l1": "units of views", "l2": "units of views, squared"}
_MOST_ROWS = 8  # with a thumbnail
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


def curves(folder: Path, names: Sequence[str] = ("loss", "i_nce"), most: int = 60) -> list[Points]:
    """Return (step, value) of logged metrics, averaged to at most `most` points each.

    Lines without metrics are skipped. The curves of an unreadable log are empty.
    """
    points: list[Points] = [[] for _ in names]
    path = folder / METRICS
    if files.reason_not_to_read(path, _MOST_LOGGED):
        return points
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            logged = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(logged, dict) and is_number(step := logged.get("step")):
            for curve, name in zip(points, names, strict=True):
                if is_number(value := logged.get(name)):
                    curve.append((step, value))
    return [_averaged(curve, most) for curve in points]


def loss_unit(run: FinishedRun) -> str:
    """Return the unit of the logged loss."""
    return _UNITS.get(str(run.settings.get("loss.name")), "nats")


def training_cap(run: FinishedRun) -> float | None:
    """Return the cap log K of the logged I_NCE."""
    batch = next((run.settings[name] for name in _BATCH if name in run.settings), None)
    return math.log(batch) if isinstance(batch, int) and 1 < batch < 2**40 else None


def thumbnails(rows: Sequence[ResultRow], room: int) -> list[Thumbnail]:
    """Return a thumbnail for each of the first rows, as far as they fit into `room` bytes."""
    results: list[Thumbnail] = []
    for i, row in enumerate(rows[:_MOST_ROWS]):
        for record in row.records:
            file = record.run.folder / VIEWS
            thumbnail = _read_picture(file)
            if thumbnail is not None and len(thumbnail[0]) <= room:
                room -= len(thumbnail[0])
                results.append(Thumbnail(i, *thumbnail, record.seed, file))
                break
    return results


def _averaged(points: Points, most: int) -> Points:
    width = max(1, math.ceil(len(points) / most))
    parts = [points[i : i + width] for i in range(0, len(points), width)]
    return [(part[-1][0], sum(value for _, value in part) / len(part)) for part in parts]


def _read_picture(path: Path) -> tuple[str, int, int] | None:
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
