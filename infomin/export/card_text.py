"""Text and numbers of a card, short enough for any page and safe to show.

The card can come from a stranger. Sections can be missing, of any type, or absurd. What cannot be
shown is left out or cut. (`format` and `architecture` were checked when the generator was loaded.)
"""

import math
import re
from collections.abc import Mapping
from itertools import islice
from typing import Any, NamedTuple, TypeGuard

_MAX_LETTERS, _MAX_SECTIONS, _MAX_ENTRIES, _MAX_POINTS = 100, 6, 60, 1000
_MAX_NUMBER = 1e9


class Curve(NamedTuple):
    """I_NCE in nats over the steps of the game, and its cap log K."""

    points: list[tuple[float, float]]
    cap: float | None


class Estimate(NamedTuple):
    """I_NCE on held-out images in nats, with a 95 % interval and its cap log K."""

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


def as_text(value: Any) -> str:
    """Return a JSON value as a short text; a nested value becomes an ellipsis."""
    if isinstance(value, list | tuple):
        words = ", ".join("…" if isinstance(v, list | tuple) else as_text(v) for v in value[:16])
        return cut(words + (", …" if len(value) > 16 else "")) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, int | float):
        return cut((f"{value:.4g}" if isinstance(value, float) else f"{value}").replace("-", "−"))
    return "…" if isinstance(value, Mapping) else cut(str(value))


def error_text(value: float) -> str:
    """Return an error in scientific notation."""
    return f"{value:.1e}".replace("-", "−")


def range_text(low: float, high: float) -> str:
    """Return a range, to about a hundredth of its length."""
    decimals = max(0, 2 - math.floor(math.log10(max(high - low, 1e-12)) + 0.3))
    return f"{low:.{decimals}f} to {high:.{decimals}f}".replace("-", "−")


def cut(text: str, letters: int = _MAX_LETTERS) -> str:
    """Return a text, cut to a number of letters."""
    return text if len(text) <= letters else text[: letters - 1] + "…"


def markdown_words(text: str) -> str:
    """Return a text as plain words for one line of Markdown."""
    return " ".join(re.sub(r"[^\w .,+-]", " ", text).split())


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a JSON value is a number that can be drawn."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) < _MAX_NUMBER
        and not math.isnan(value)
    )


def _rows(section: Mapping[str, Any]) -> dict[str, str]:
    rows = ((cut(k), as_text(v)) for k, v in section.items() if not k.startswith("_"))
    return dict(islice(rows, _MAX_ENTRIES))
