"""Short texts from values of untrusted files, fit for any page."""

import math
from collections.abc import Mapping
from typing import Any, TypeGuard

from infomin.core.names import printable

_MAX_LETTERS = 100
_MAX_NUMBER = 1e9


def as_text(value: Any) -> str:
    """Return a JSON value as a short text; a nested value becomes an ellipsis."""
    if isinstance(value, list | tuple):
        words = ", ".join("…" if isinstance(v, list | tuple) else as_text(v) for v in value[:16])
        return cut(words + (", …" if len(value) > 16 else "")) or "none"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, int | float):
        return cut((f"{value:.4g}" if isinstance(value, float) else f"{value}").replace("-", "−"))
    return "…" if isinstance(value, Mapping) else cut(printable(str(value)))


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


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a JSON value is a number that can be drawn."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) < _MAX_NUMBER
        and not math.isnan(value)
    )
