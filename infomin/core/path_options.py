"""Options that name paths, as words of a command line.

A path is typed as it is, as in `data.root=/data/cats & dogs (1)`. Hydra would read the value by its
grammar, in which blanks, umlauts, commas, `=`, `#`, `(`, numbers and `null` have a meaning.
OmegaConf would replace `${...}` in it. `for_hydra` quotes and escapes the paths of a word, so that
both return them as they are. A value in quotes, as Hydra's grammar has it, is what they enclose.
"""

import os
import re
from collections.abc import Mapping
from typing import Any

from infomin.core.errors import InputError
from infomin.core.files import expanded

_CREATED = ("out", "to", "folder", "cache")
_PATHS = ("root", "generator", "pretrained", "runs", "resume", *_CREATED)
"""Last parts of the names of options that are one path."""
_LISTS, _MAPPINGS = ("write",), ("data.views", "generators")

_WORD = re.compile(r"(\+{0,2})([A-Za-z_][\w.@/]*)=(.*)", re.DOTALL)
_IN_QUOTES = r"""(?P<quote>"|')(?:(?!(?P=quote))[^\\]|\\.)*(?P=quote)"""
_ITEM = re.compile(
    rf"\s*(?:(?P<key>[\w-]+)\s*:\s*)?(?P<path>{_IN_QUOTES}(?=\s*(?:,|\Z))|[^,]+)", re.DOTALL
)
_PLAIN = re.compile(r"(?:\.{0,2}/|[A-Za-z_])[A-Za-z0-9_./-]*")
_KEYWORDS = ("null", "true", "false", "nan", "inf")


def is_path(option: str) -> bool:
    """Return whether the value of an option is one path, such as that of `data.views.depth`."""
    above, _, name = option.rpartition(".")
    return above in _MAPPINGS or (name in _PATHS and option not in _MAPPINGS)


def has_paths(option: str) -> bool:
    """Return whether the value of an option is a path, or a list or a mapping of paths."""
    return is_path(option) or option in (*_LISTS, *_MAPPINGS)


def for_hydra(word: str, several: bool = False) -> str:
    """Return a word of a command line as Hydra reads it; words of other options stay as they are.

    Arguments:
        word: as typed, such as `data.root=~/my photos`.
        several: whether the command runs several times: commas separate the values of an option
            that names what is read, unless a path with these commas exists.

    Raises:
        InputError: for an empty path, or `~` without a home folder.
    """
    match = _WORD.fullmatch(word)
    if match is None or not has_paths(match[2]):
        return word
    plus, option, value = match.groups()
    if not value:
        raise InputError(f"{option}: expected a path, got nothing; give one, or leave out {word}")
    if not is_path(option):
        return f"{plus}{option}={_container(option, value)}"
    if _is_flag(option, value):
        return word
    paths = [value]
    created = option.rpartition(".")[2] in _CREATED
    if several and not created and not os.path.lexists(os.path.expanduser(value)):  # noqa: PTH111
        paths = [item[0].strip() for item in _ITEM.finditer(value)]
    return f"{plus}{option}={','.join(map(_encoded, paths))}"


def override(name: str, value: object) -> str:
    """Return `name=value` as it is typed, and as Hydra reads it: a text, or a mapping of texts."""
    if isinstance(value, Mapping):
        return f"{name}={{{','.join(f'{key}:{quoted(str(v))}' for key, v in value.items())}}}"
    return f"{name}={quoted(str(value))}"


def quoted(text: str) -> str:
    """Return a text as a value that Hydra reads as this text."""
    if _PLAIN.fullmatch(text) and text.lower() not in _KEYWORDS:
        return text
    doubled = re.sub(r'(\\*)("|\Z)', lambda m: m[1] * 2 + ('\\"' if m[2] else ""), text)
    return f'"{doubled}"'


def unquoted(value: str) -> str:
    """Return the path that a typed value means: a value in quotes means what they enclose."""
    if re.fullmatch(_IN_QUOTES, value, re.DOTALL) is None or os.path.lexists(value):
        return value
    return re.sub(rf"(\\+)({value[0]})", lambda m: m[1][: len(m[1]) // 2] + m[2], value[1:])[:-1]


def escaped(value: Any) -> Any:
    """Return a text, or the texts in lists and mappings, so that OmegaConf replaces nothing."""
    if isinstance(value, str):
        text = re.sub(r"(\\*)\$\{", lambda match: match[1] * 2 + r"\${", value)
        return "./???" if text == "???" else text  # which OmegaConf takes for a missing value
    if isinstance(value, Mapping):
        return {key: escaped(item) for key, item in value.items()}
    return [escaped(item) for item in value] if isinstance(value, list | tuple) else value


def _is_flag(option: str, value: str) -> bool:
    """Return whether a value is a word of Hydra's: `null`, or `true` and `false` of `resume`."""
    if option == "resume":
        return value.lower() in ("null", "true", "false")
    return option != "out" and value.lower() == "null" and not os.path.lexists(value)


def _container(option: str, value: str) -> str:
    """Return a list or a mapping of paths for Hydra; a single path is a list of one."""
    mapping = option in _MAPPINGS
    if value[0] + value[-1] != ("{}" if mapping else "[]"):
        return value if mapping else f"[{_encoded(value)}]"
    items = list(_ITEM.finditer(value[1:-1]))
    if not mapping:
        return f"[{','.join(_encoded(item[0].strip()) for item in items)}]"
    if not all(item["key"] for item in items):
        return value  # Hydra says what is wrong
    return "{" + ",".join(f"{i['key']}:{_encoded(i['path'].strip())}" for i in items) + "}"


def _encoded(value: str) -> str:
    """Return a typed path so that Hydra and OmegaConf return it as it is."""
    return quoted(escaped(expanded(unquoted(value))))
