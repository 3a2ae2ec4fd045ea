"""The one error that a user can mend: what was wrong, what was expected, what came, what to do."""

from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """A wrong argument, path, shape, range or file. Its text is one line, fit to be shown as is."""


@contextmanager
def blamed_on(name: str) -> Iterator[None]:
    """Blame the options a user gave for a TypeError of the call that they were given to.

    Raises:
        InputError: in place of the TypeError, such as that of an unknown option.
    """
    try:
        yield
    except TypeError as error:
        raise InputError(f"{name}: {error}") from None
