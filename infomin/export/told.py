"""What the card of a stranger tells, as text and numbers that any page can hold.

Sections may be missing, of any type, or absurd: what cannot be shown is left out or cut, and what
is shown is short. (`format` and `architecture` were checked when the generator was loaded.)
"""

from collections.abc import Mapping
from itertools import islice
from typing import Any, NamedTuple

from infomin.core.page.text import cut, number, short

_SECTIONS, _ENTRIES, _POINTS = 6, 60, 1000


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
    if not all(isinstance(p, list) and len(p) == 2 and all(map(number, p)) for p in points):
        return None
    cap = told.get("cap") if isinstance(told, Mapping) else None
    return Curve(sorted((p[0], p[1]) for p in points), cap if number(cap) else None)


def i_nce(card: Mapping[str, Any]) -> Estimate | None:
    """Return the held-out estimate, or None where the card holds none."""
    told = card.get("i_nce")
    if not isinstance(told, Mapping):
        return None
    values = [told.get(name) for name in Estimate._fields]
    return Estimate(*values) if all(map(number, values)) else None  # type: ignore[arg-type]


def _rows(section: Mapping[str, Any]) -> dict[str, str]:
    told = ((cut(k), short(v)) for k, v in section.items() if not k.startswith("_"))
    return dict(islice(told, _ENTRIES))
