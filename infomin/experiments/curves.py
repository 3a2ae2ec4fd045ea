"""Training curves of a run: what it logged, thinned out to what a chart can show."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

from infomin.core import files
from infomin.core.page.text import number
from infomin.experiments.found import Finished
from infomin.runs.folder import METRICS

LOSS, I_NCE = "loss", "i_nce"
_LARGEST = 2**25  # bytes of a log that is read; 32 MB are 1.5 million steps
_BATCH = ("pretrain.batch", "game.batch")  # K of the loss in training
_UNITS = {"triplet": "cosine", "l1": "units of views", "l2": "units of views, squared"}

Points = list[tuple[float, float]]


def curves(folder: Path, names: Sequence[str] = (LOSS, I_NCE), most: int = 60) -> list[Points]:
    """Return (step, value) of logged metrics, neighbours averaged to at most `most` points.

    Lines that are no metrics are skipped; of a log that cannot be read all curves are empty.
    """
    found: list[Points] = [[] for _ in names]
    path = folder / METRICS
    if files.unreadable(path, _LARGEST):
        return found
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(told, dict) or not number(step := told.get("step")):
            continue
        for points, name in zip(found, names, strict=True):
            if number(value := told.get(name)):
                points.append((step, value))
    return [_thinned(points, most) for points in found]


def unit(run: Finished) -> str:
    """Return the unit of the loss that a run logged."""
    name = run.settings.get("loss.name")
    return _UNITS.get(name, "nats") if isinstance(name, str) else "nats"


def cap(run: Finished) -> float | None:
    """Return log K of the I_NCE that a run logged."""
    batch = next((run.settings[name] for name in _BATCH if name in run.settings), None)
    return math.log(batch) if isinstance(batch, int) and 1 < batch < 2**40 else None


def _thinned(points: Points, most: int) -> Points:
    width = max(1, math.ceil(len(points) / most))
    parts = [points[i : i + width] for i in range(0, len(points), width)]
    return [(part[-1][0], sum(value for _, value in part) / len(part)) for part in parts]
