"""The numbers of a run by the names that table heads and axes use."""

from collections.abc import Mapping
from typing import Any

from infomin.core.page.text import cut, is_number
from infomin.experiments.run_index import FinishedRun

TOP1, KNN, IOU, PIXELS = "top-1 %", "kNN %", "mean IoU %", "pixel accuracy %"
I_NCE, MINUTES = "I_NCE, nats", "minutes"
_SHARES = {TOP1: "top1", KNN: "knn", IOU: "mean_iou", PIXELS: "pixel_accuracy"}
_ERRORS = {"digit error %": "digit_error", "background error %": "background_error"}
_POSITION = "position error, px"
_MOST = 24  # layers, classifiers or estimates of one run: a file can hold any number


def score_name(kind: str) -> str:
    """Return the metric that ranks runs of a kind; higher is better."""
    return IOU if kind == "segment" else TOP1


def score_axis(score: str) -> str:
    """Return a score with the evaluation it comes from, for the axis of a chart."""
    return "segmentation, mean IoU %" if score == IOU else "linear probe, top-1 %"


def decimals(metric: str) -> int:
    """Return the number of decimals to show."""
    return 2 if metric.startswith("I_NCE") or metric == _POSITION else 1


def layer_name(tap: Any) -> str:
    """Return the metric of a linear probe at one layer."""
    return f"{cut(str(tap), 40)}, {TOP1}"


def metrics(run: FinishedRun) -> dict[str, float]:
    """Return the recorded numbers of a run in the order of table columns."""
    result = run.result
    values = {name: _scaled(result.get(key), 100) for name, key in (_SHARES | _ERRORS).items()}
    values[_POSITION] = _scaled(result.get("position_error"), 1)
    layers, accuracies = result.get("layers"), result.get("class_accuracy")
    for tap, scores in list(layers.items())[:_MOST] if isinstance(layers, dict) else []:
        if isinstance(scores, dict):
            values[layer_name(tap)] = _scaled(scores.get("top1"), 100)
    values |= {name: _scaled(value, 1) for name, value in _i_nce(result).items()}
    for i, value in enumerate(accuracies[:_MOST] if isinstance(accuracies, list) else [], 1):
        values[f"c{i} %"] = _scaled(value, 100)
    seconds = result.get("seconds")
    values[MINUTES] = seconds / 60 if is_number(seconds) else None
    return {name: value for name, value in values.items() if value is not None}


def _scaled(value: Any, factor: int) -> float | None:
    return factor * value if is_number(value) else None


def _i_nce(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the held-out estimate, or the estimates for pairs of views and values of K."""
    estimates = result.get("i_nce")
    if isinstance(estimates, dict):
        return {I_NCE: estimates.get("value")}
    values = {}
    for estimate in estimates[:_MOST] if isinstance(estimates, list) else []:
        if isinstance(estimate, dict) and isinstance(pair := estimate.get("views"), list):
            views = "; ".join(f"v{i}" for i in pair[:2] if is_number(i))
            if is_number(k := estimate.get("k")):
                values[f"I_NCE({views}), K = {k}, nats"] = estimate.get("value")
    return values
