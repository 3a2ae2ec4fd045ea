"""Errors that a user can mend, and signals, as one line and an exit code."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from infomin.core.errors import InputError
from infomin.runs.signals import Interrupted

_NOISE = (
    *("full_key", "object_type", "reference_type", "Set the environment"),
    *("Config search path", "provider="),
)
"""Beginnings of lines that Hydra adds."""


@contextmanager
def plainly() -> Iterator[None]:
    """Exit with 2 for bad input, with 128 and its number for a signal, and say why in one line."""
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
        print(f"error: {one_line(error)}", file=sys.stderr)
        sys.exit(2)


def one_line(error: BaseException) -> str:
    """Return the message of an error as one line; our own message where Hydra wraps it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, InputError | TypeError):
            where = [line for line in lines if line.startswith("full_key: ")]
            name = where[0][10:] + ": " if where and isinstance(cause, TypeError) else ""
            return name + " ".join(str(cause).split())
        cause = cause.__cause__
    if lines and "No match in the defaults list" in lines[0]:
        return f"{lines[0]} This command has no such group; --help lists the groups"
    if lines and lines[0].startswith("Could not override"):
        return f"{lines[0]} There is no such option; --help lists the options"
    return "; ".join(line for line in lines if not line.startswith(_NOISE))
