"""The error that a user can fix, and the checks that raise it.

Its text has the form `argument: expected X, got Y; do Z`.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from math import inf

from infomin.core.names import printable


class InputError(ValueError):
    """A wrong argument, path, shape, range or file. The text is one line that commands print.

    The text may quote an untrusted file: control characters become spaces, bytes of names that are
    no UTF-8 become `\\xfc`, and a text of more than 500 characters loses its middle.
    """

    def __init__(self, text: str) -> None:
        line = printable(text)
        super().__init__(line if len(line) <= 500 else f"{line[:300]} ... {line[-195:]}")


class UnreadableFile(InputError):
    """A file of the user's data that is damaged, or too large for the memory."""


class InputWarning(UserWarning):
    """A line for the user that ends nothing, such as a cache that cannot be written."""


@contextmanager
def option_errors(name: str) -> Iterator[None]:
    """Turn a TypeError of the call inside, such as an unknown option, into an InputError.

    Arguments:
        name: the setting whose options the call takes.
    """
    try:
        yield
    except TypeError as error:
        raise InputError(f"{name}: {error}") from None


@contextmanager
def renamed_option(option: str, instead: str) -> Iterator[None]:
    """Replace the name of an option in the text of an InputError.

    Arguments:
        option: the name in the text.
        instead: the name that the user knows.
    """
    try:
        yield
    except InputError as error:
        raise InputError(str(error).replace(option, instead)) from None


def one_of(name: str, value: object, allowed: Collection[object]) -> None:
    """Raise an InputError unless a value is in a list."""
    if value not in allowed:
        words = ", ".join(
            str(word).lower() if isinstance(word, bool) else str(word) for word in allowed
        )
        raise InputError(f"{name}: expected one of {words}, got {value!r}")


def at_least(name: str, value: float, least: float) -> None:
    """Raise an InputError unless a number is at least `least`."""
    if not (_is_number(value) and value >= least):
        raise InputError(f"{name}: expected at least {least}, got {value!r}")


def number_pair(name: str, value: object) -> tuple[float, float]:
    """Return a pair of finite numbers.

    Raises:
        InputError: for anything else.
    """
    items = [*value] if isinstance(value, Iterable) and not isinstance(value, str) else []
    if len(items) != 2 or not all(map(_is_number, items)):
        raise InputError(
            f"{name}: expected [low, high], two numbers, got {items or repr(value)}; such as "
            f"{name}=[0.2,1.0]"
        )
    return items[0], items[1]


def whole_number(name: str, value: int, least: int) -> None:
    """Raise an InputError unless a value is a whole number of at least `least`."""
    if type(value) is not int or value < least:
        raise InputError(f"{name}: expected a whole number of at least {least}, got {value!r}")


def positive(name: str, value: float) -> None:
    """Raise an InputError unless a number is greater than 0."""
    if not (_is_number(value) and value > 0):
        raise InputError(f"{name}: expected a number > 0, got {value!r}")


def probability(name: str, value: float) -> None:
    """Raise an InputError unless a value is a number within [0, 1]."""
    if not (_is_number(value) and 0 <= value <= 1):
        raise InputError(f"{name}: expected a probability, got {value}")


def true_or_false(name: str, value: object) -> None:
    """Raise an InputError unless a value is a bool."""
    if not isinstance(value, bool):
        raise InputError(f"{name}: expected true or false, got {value!r}")


def _is_number(value: object) -> bool:
    """Return whether a value is a finite number."""
    return isinstance(value, int | float) and type(value) is not bool and -inf < value < inf
