"""Errors that a user can mend, and signals, as one line and an exit code."""

import re
import shlex
import signal
import sys
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

from hydra.errors import HydraException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from infomin.core.errors import InputError, InputWarning
from infomin.core.names import accept_any_name
from infomin.core.path_options import quoted
from infomin.runs.signals import Interrupted

_NOISE = (
    *("full_key", "object_type", "reference_type", "Set the environment"),
    *("Config search path", "provider="),
)
"""Beginnings of lines that Hydra adds."""


_format_warning = warnings.formatwarning


def prepare_output() -> None:
    """Let streams take any name, and warnings for the user be one line; those of others stay."""
    accept_any_name(sys.stdout, sys.stderr)
    warnings.formatwarning = lambda message, category, *place, **line: (
        f"warning: {message}\n"
        if issubclass(category, InputWarning)
        else _format_warning(message, category, *place, **line)
    )
    # letters that matplotlib's font lacks are boxes in pictures
    warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)


@contextmanager
def plainly(options: Collection[str] = ()) -> Iterator[None]:
    """Exit with 2 for bad input, with 128 and its number for a signal, and say why in one line.

    Arguments:
        options: names of the options of the command, one of which is proposed for an unknown one.
    """
    try:
        yield
    except Interrupted as stop:
        if str(stop):
            print(stop, file=sys.stderr)
        sys.exit(stop.exit_code)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    except (InputError, HydraException, OmegaConfBaseException) as error:
        print(f"error: {one_line(error, options)}", file=sys.stderr)
        sys.exit(2)


def one_line(error: BaseException, options: Collection[str] = ()) -> str:
    """Return the message of an error as one line; our own message where Hydra wraps it."""
    if isinstance(error, OverrideParseException):
        return unreadable(error.override)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, InputError):
            return " ".join(str(cause).split())
        cause = cause.__cause__
    if lines and "No match in the defaults list" in lines[0]:
        return f"{lines[0]} This command has no such group; --help lists the groups"
    if lines and lines[0].startswith("Could not override"):
        option = lines[0].split("'")[1]
        group = option.rpartition(".")[0]
        near = [name for name in options if name.rpartition(".")[0] == group]
        similar = get_close_matches(option, near, n=1)
        advice = f"did you mean {similar[0]}? " if similar else ""
        if option.startswith("data."):
            advice = "data=NAME beside it says whose option it is, as data=image_folder; "
        return f"{lines[0]} There is no such option; {advice}--help lists the options"
    choice = re.search(r"Could not find '([\w/]+)/([^'/]+)'", lines[0] if lines else "")
    listed = [i for i, line in enumerate(lines) if line.startswith("Available options in")]
    if choice and listed:
        names = [line for line in lines[listed[0] + 1 :] if not line.startswith(_NOISE)]
        return f"{choice[1]}: expected one of {', '.join(names)}, got {choice[2]!r}"
    return "; ".join(line for line in lines if not line.startswith(_NOISE))


def unreadable(word: str) -> str:
    """Return the message for a word that is outside Hydra's grammar, with the quotes to type."""
    option, equals, value = word.partition("=")
    if not equals:
        return f"{word}: expected OPTION=VALUE; --help lists the options"
    if value[:1] in ("[", "{"):
        example = shlex.quote(
            f'{option}=["A B","C"]' if value[0] == "[" else f'{option}={{a: "B C"}}'
        )
        return (
            f"{option}: cannot read {value}; put every text between double quotes, and the whole "
            f"word between single ones, as in {example}"
        )
    return f"{option}: cannot read {value}; type {shlex.quote(f'{option}={quoted(value)}')}"
