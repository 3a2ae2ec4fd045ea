"""Short texts from values of untrusted files, fit for any page."""

import math
from collections.abc import Mapping
from typing import Any, TypeGuard

_LETTERS = 100
_LARGEST = 1e9  # number that a chart can show


def short(value: Any) -> str:
    """Return a JSON value as a short text, with … for nested values."""
    if isinstance(value, list | tuple):
        words = ", ".join(short(v) if not isinstance(v, list | tuple) else "…" for v in value[:16])
        return cut(words + (", …" if len(value) > 16 else "")) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, int | float):
        return cut((f"{value:.4g}" if isinstance(value, float) else f"{value}").replace("-", "−"))
    return "…" if isinstance(value, Mapping) else cut(str(value))


def tiny(value: float) -> str:
    """Return a small number in powers of ten."""
    return f"{value:.1e}".replace("-", "−")


def span(low: float, high: float) -> str:
    """Return a range, rounded to about a hundredth of its length."""
    decimals = max(0, 2 - math.floor(math.log10(max(high - low, 1e-12)) + 0.3))
    return f"{low:.{decimals}f} to {high:.{decimals}f}".replace("-", "−")


def cut(text: str, letters: int = _LETTERS) -> str:
    """Return a text, shortened to a number of letters."""
    return text if len(text) <= letters else text[: letters - 1] + "…"


def number(value: Any) -> TypeGuard[float]:
    """Return whether a JSON value is a number that a chart can show."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) < _LARGEST
        and not math.isnan(value)
    )
