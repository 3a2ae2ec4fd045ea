"""Text and numbers of a card, short enough for any page and safe to show.

The card can come from a stranger. Sections can be missing, of any type, or absurd. What cannot be
shown is left out or cut. (`format` and `architecture` were checked when the generator was loaded.)
"""

from collections.abc import Mapping
from itertools import islice
from typing import Any, NamedTuple

from infomin.core.page.text import as_text, cut, is_number

_MAX_SECTIONS, _MAX_ENTRIES, _MAX_POINTS = 6, 60, 1000


class Curve(NamedTuple):
    """I_NCE in nats over the steps of the game, and its cap log K."""

    points: list[tuple[float, float]]
    cap: float | None


class Estimate(NamedTuple):
    """I_NCE on held-out images in nats, with a 95 % sampling interval and its cap log K."""

    value: float
    low: float
    high: float
    cap: float
    images: int


class Training(NamedTuple):
    """The training section as text: title, single values, nested sections."""

    data: str
    objective: str
    seed: str
    rows: dict[str, str]
    sections: dict[str, dict[str, str]]


def training_text(training: Mapping[str, Any]) -> Training:
    """Return the training section of a card as text, without its curve."""
    entries = dict(islice(((k, v) for k, v in training.items() if k != "curve"), _MAX_ENTRIES))
    sections = {cut(k): _rows(v) for k, v in entries.items() if isinstance(v, Mapping) and v}
    data, objective, seed = (
        cut(as_text(training.get(name, "unknown")), 80) for name in ("data", "objective", "seed")
    )
    rows = _rows({k: v for k, v in entries.items() if not isinstance(v, Mapping)})
    return Training(data, objective, seed, rows, dict(islice(sections.items(), _MAX_SECTIONS)))


def i_nce_curve(training: Mapping[str, Any]) -> Curve | None:
    """Return the curve of I_NCE, or None when the card has none that can be drawn."""
    points, estimate = training.get("curve"), training.get("i_nce")
    if not isinstance(points, list) or not 0 < len(points) <= _MAX_POINTS:
        return None
    if not all(isinstance(p, list) and len(p) == 2 and all(map(is_number, p)) for p in points):
        return None
    cap = estimate.get("cap") if isinstance(estimate, Mapping) else None
    return Curve(sorted((p[0], p[1]) for p in points), cap if is_number(cap) else None)


def held_out_i_nce(training: Mapping[str, Any]) -> Estimate | None:
    """Return the held-out estimate, or None when the card has none."""
    estimate = training.get("i_nce")
    if not isinstance(estimate, Mapping):
        return None
    values = [estimate.get(name) for name in Estimate._fields]
    return Estimate(*values) if all(map(is_number, values)) else None  # type: ignore[arg-type]


def _rows(section: Mapping[str, Any]) -> dict[str, str]:
    rows = ((cut(k), as_text(v)) for k, v in section.items() if not k.startswith("_"))
    return dict(islice(rows, _MAX_ENTRIES))
