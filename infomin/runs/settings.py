"""Configurations as flat settings: `{"game.lr_g": 0.002}` for `game: {lr_g: 0.002}`."""

from collections.abc import Iterator, Mapping
from itertools import accumulate, islice
from typing import Any

import yaml

from infomin.core.errors import InputError

Setting = bool | int | float | str | None
MOST = 1000
"""Settings of one configuration that are looked at."""
_DEEPEST = 12


def read(text: str) -> dict[str, Any]:
    """Return a configuration; nothing in it is executed.

    Raises:
        InputError: when the text is not YAML, or no mapping.
    """
    nested = accumulate((c in "[{") - (c in "]}") for c in text)
    if max(nested, default=0) > 8 * _DEEPEST:  # PyYAML takes seconds to give up
        raise InputError("is not YAML of settings (it is nested too deeply)")
    try:
        config = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"is not YAML ({error})") from None
    if not isinstance(config, dict):
        raise InputError(f"is no mapping of settings but of type {type(config).__name__}")
    return config


def flat(config: Mapping[Any, Any], most: int = MOST) -> dict[str, Setting]:
    """Return single values by the dotted path that leads to them; lists of them are text.

    What a stranger nests deeper than anyone would, or into itself, is cut off.
    """
    return dict(islice(_leaves(config, "", 0), most))


def is_seed(name: str) -> bool:
    """Tell whether a setting is a seed of training; those of `data` say which data it is."""
    return name.split(".")[-1] == "seed" and not name.startswith("data.")


def _leaves(value: Any, name: str, depth: int) -> Iterator[tuple[str, Setting]]:
    if isinstance(value, Mapping) and value and depth < _DEEPEST:
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else f"{key}", depth + 1)
    elif isinstance(value, bool | int | float | str) or value is None:
        yield name, value
    else:
        yield name, _listed(value)


def _listed(value: Any, depth: int = 0) -> str:
    if depth > 3 or (isinstance(value, Mapping) and value):
        return "…"
    if isinstance(value, list | tuple):
        words = [_listed(v, depth + 1) for v in islice(value, 32)]
        return f"[{', '.join(words)}{', …' if len(value) > 32 else ''}]"
    return f"{value}"
