"""Flat settings of a configuration: `{"game.lr_g": 0.002}` for `game: {lr_g: 0.002}`."""

from collections.abc import Iterator, Mapping
from itertools import accumulate, islice
from typing import Any

import yaml

from infomin.core.errors import InputError
from infomin.core.names import printable

Setting = bool | int | float | str | None
MOST = 1000
"""Largest number of settings of one configuration."""
_DEEPEST = 12


def read(text: str) -> dict[str, Any]:
    """Parse a configuration without executing anything in it.

    Raises:
        InputError: when the text is not YAML or not a mapping.
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
    """Return single values by their dotted path; lists become text.

    Cuts off what an untrusted file nests too deeply or into itself.
    """
    return dict(islice(_leaves(config, "", 0), most))


def is_seed(name: str) -> bool:
    """Return whether a setting is a seed of training; a seed of `data` identifies data."""
    return name.split(".")[-1] == "seed" and not name.startswith("data.")


def write_hparams(board: Any, config: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    """Add settings, and numbers of a result as `result/...`, to TensorBoard's HParams tab.

    The tab takes its metrics from curves only: a result as a metric would be a curve of one point.
    As a hyperparameter a result is a column that sorts and filters, and no curve.

    `SummaryWriter.add_hparams` would start a second run in a new folder. It would also fix the
    columns of the table for all runs. Without that, TensorBoard collects the columns of all runs.

    Arguments:
        board: the `SummaryWriter` of the run.
        config: its configuration.
        result: its result.
    """
    from torch.utils.tensorboard.summary import hparams

    values = {
        name: printable(value) if isinstance(value, str) else value
        for name, value in flat(config).items()
        if value is not None
    }
    for name, value in flat(result).items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            values[f"result/{name}"] = value
    _, started, ended = hparams(values, {})
    board.file_writer.add_summary(started)
    board.file_writer.add_summary(ended)


def _leaves(value: Any, name: str, depth: int) -> Iterator[tuple[str, Setting]]:
    if isinstance(value, Mapping) and value and depth < _DEEPEST:
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else f"{key}", depth + 1)
    elif isinstance(value, bool | int | float | str) or value is None:
        yield name, value
    else:
        yield name, _as_text(value)


def _as_text(value: Any, depth: int = 0) -> str:
    if depth > 3 or (isinstance(value, Mapping) and value):
        return "…"
    if isinstance(value, list | tuple):
        words = [_as_text(v, depth + 1) for v in islice(value, 32)]
        return f"[{', '.join(words)}{', …' if len(value) > 32 else ''}]"
    return f"{value}"
