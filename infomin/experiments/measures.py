"""The numbers of a run that tables show, and the one by which its kind is ranked."""

from collections.abc import Mapping
from typing import Any

from infomin.core.page.text import number
from infomin.experiments.found import Finished

TOP1, KNN, I_NCE, MINUTES = "top-1 %", "kNN %", "I_NCE, nats", "minutes"
IOU, PIXELS = "mean IoU %", "pixel accuracy %"
_SHARES = {TOP1: "top1", KNN: "knn", IOU: "mean_iou", PIXELS: "pixel_accuracy"}
_ERRORS = {"digit error %": "digit_error", "background error %": "background_error"}
_PLACE = "position error, px"
_MOST = 24  # classifiers of a game, or estimates of one run: files can hold any number


def scored_by(kind: str) -> str:
    """Return the measure by which runs of a kind are ranked, the higher the better."""
    return IOU if kind == "segment" else TOP1


def protocol_of(score: str) -> str:
    """Return what a score is read from, for the axis of a chart."""
    return "segmentation, mean IoU %" if score == IOU else "linear probe, top-1 %"


def measures(run: Finished) -> dict[str, float]:
    """Return the numbers of a run, as far as they were recorded, in the order of columns."""
    told = run.result
    found = {name: (told.get(key), 100.0) for name, key in (_SHARES | _ERRORS).items()}
    found[_PLACE] = (told.get("position_error"), 1.0)
    found |= _i_nce(told)
    accuracies = told.get("class_accuracy")
    if isinstance(accuracies, list):
        found |= {f"c{i} %": (value, 100.0) for i, value in enumerate(accuracies[:_MOST], 1)}
    found[MINUTES] = (told.get("seconds"), 1 / 60)
    return {name: factor * value for name, (value, factor) in found.items() if number(value)}


def digits(measure: str) -> int:
    """Return the decimals that a measure is worth."""
    return 2 if measure.startswith("I_NCE") or measure == _PLACE else 1


def _i_nce(told: Mapping[str, Any]) -> dict[str, tuple[Any, float]]:
    """Return the held-out estimate, or one of every pair of views and K."""
    found = told.get("i_nce")
    if isinstance(found, dict):
        return {I_NCE: (found.get("value"), 1.0)}
    several: dict[str, tuple[Any, float]] = {}
    for each in found[:_MOST] if isinstance(found, list) else []:
        if isinstance(each, dict) and isinstance(pair := each.get("views"), list):
            views = "; ".join(f"v{i}" for i in pair[:2] if number(i))
            if number(k := each.get("k")):
                several[f"I_NCE({views}), K = {k}, nats"] = (each.get("value"), 1.0)
    return several
