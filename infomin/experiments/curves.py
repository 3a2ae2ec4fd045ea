"""Training curves of a run: its logged metrics, averaged down to what a chart can show."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

from infomin.core import files
from infomin.core.page.text import is_number
from infomin.experiments.run_index import FinishedRun
from infomin.runs.folder import METRICS

_MOST_BYTES = 2**25  # of a log; 32 MB are 1.5 million steps
_BATCH = ("pretrain.batch", "game.batch")  # K of the loss in training
_UNITS = {"triplet": "cosine", "l1": "units of views", "l2": "units of views, squared"}

Points = list[tuple[float, float]]


def curves(folder: Path, names: Sequence[str] = ("loss", "i_nce"), most: int = 60) -> list[Points]:
    """Return (step, value) of logged metrics, averaged to at most `most` points each.

    Lines without metrics are skipped. The curves of an unreadable log are empty.
    """
    points: list[Points] = [[] for _ in names]
    path = folder / METRICS
    if files.reason_not_to_read(path, _MOST_BYTES):
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
    name = run.settings.get("loss.name")
    return _UNITS.get(name, "nats") if isinstance(name, str) else "nats"


def training_cap(run: FinishedRun) -> float | None:
    """Return the cap log K of the logged I_NCE."""
    batch = next((run.settings[name] for name in _BATCH if name in run.settings), None)
    return math.log(batch) if isinstance(batch, int) and 1 < batch < 2**40 else None


def _averaged(points: Points, most: int) -> Points:
    width = max(1, math.ceil(len(points) / most))
    parts = [points[i : i + width] for i in range(0, len(points), width)]
    return [(part[-1][0], sum(value for _, value in part) / len(part)) for part in parts]
