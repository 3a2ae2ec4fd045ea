"""What the card of a stranger tells, as text and numbers that any page can hold.

Sections may be missing, of any type, or absurd: what cannot be shown is left out or cut, and what
is shown is short. (`format` and `architecture` were checked when the generator was loaded.)
"""

import math
from collections.abc import Mapping
from itertools import islice
from typing import Any, NamedTuple

_SECTIONS, _ENTRIES, _LETTERS, _POINTS = 6, 60, 100, 1000
_LARGEST = 1e9  # of a number that is drawn


class Curve(NamedTuple):
    """I_NCE over the steps of the game."""

    points: list[tuple[float, float]]
    cap: float | None


class Estimate(NamedTuple):
    """A held-out I_NCE as the card tells it, in nats."""

    value: float
    low: float
    high: float
    cap: float
    images: int


class Training(NamedTuple):
    """The training section: what it is about, single values, and sections of their own."""

    data: str
    objective: str
    seed: str
    rows: dict[str, str]
    sections: dict[str, dict[str, str]]


def training(card: Mapping[str, Any]) -> Training:
    """Return the training section as text; `curve` is drawn elsewhere."""
    entries = dict(islice(((k, v) for k, v in card.items() if k != "curve"), _ENTRIES))
    sections = {cut(k): _rows(v) for k, v in entries.items() if isinstance(v, Mapping) and v}
    data, objective, seed = (
        cut(short(card.get(name, "unknown")), 80) for name in ("data", "objective", "seed")
    )
    rows = _rows({k: v for k, v in entries.items() if not isinstance(v, Mapping)})
    return Training(data, objective, seed, rows, dict(islice(sections.items(), _SECTIONS)))


def curve(card: Mapping[str, Any]) -> Curve | None:
    """Return the curve of I_NCE, or None where the card holds none that can be drawn."""
    points, told = card.get("curve"), card.get("i_nce")
    if not isinstance(points, list) or not 0 < len(points) <= _POINTS:
        return None
    if not all(isinstance(p, list) and len(p) == 2 and all(map(_number, p)) for p in points):
        return None
    cap = told.get("cap") if isinstance(told, Mapping) else None
    return Curve(sorted((p[0], p[1]) for p in points), cap if _number(cap) else None)


def i_nce(card: Mapping[str, Any]) -> Estimate | None:
    """Return the held-out estimate, or None where the card holds none."""
    told = card.get("i_nce")
    if not isinstance(told, Mapping):
        return None
    values = [told.get(name) for name in Estimate._fields]
    return Estimate(*values) if all(map(_number, values)) else None  # type: ignore[arg-type]


def short(value: Any) -> str:
    """Return a value of JSON as a short text; of what is nested, only that it is there."""
    if isinstance(value, list | tuple):
        words = ", ".join(short(v) if not isinstance(v, list | tuple) else "…" for v in value[:16])
        return cut(words + (", …" if len(value) > 16 else "")) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, int | float):
        return cut((f"{value:.4g}" if isinstance(value, float) else f"{value}").replace("-", "−"))
    return "…" if isinstance(value, Mapping) else cut(str(value))


def tiny(value: float) -> str:
    """Return an error, in powers of ten."""
    return f"{value:.1e}".replace("-", "−")


def span(low: float, high: float) -> str:
    """Return a range, to about a hundredth of its length."""
    decimals = max(0, 2 - math.floor(math.log10(max(high - low, 1e-12)) + 0.3))
    return f"{low:.{decimals}f} to {high:.{decimals}f}".replace("-", "−")


def cut(text: str, letters: int = _LETTERS) -> str:
    """Return a text without its end, where it is long."""
    return text if len(text) <= letters else text[: letters - 1] + "…"


def _rows(section: Mapping[str, Any]) -> dict[str, str]:
    told = ((cut(k), short(v)) for k, v in section.items() if not k.startswith("_"))
    return dict(islice(told, _ENTRIES))


def _number(value: Any) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) < _LARGEST
        and not math.isnan(value)
    )
