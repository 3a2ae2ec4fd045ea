"""The one error that a user can mend: what was wrong, what was expected, what came, what to do."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from math import inf, isfinite


class InputError(ValueError):
    """A wrong argument, path, shape, range or file. Its text is one line, fit to be shown as is.

    What it quotes can come from a stranger: control characters become spaces, and of a text beyond
    500 characters the middle is left out.
    """

    def __init__(self, text: str) -> None:
        line = "".join(c if c.isprintable() else " " for c in text)
        super().__init__(line if len(line) <= 500 else f"{line[:300]} ... {line[-195:]}")


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


@contextmanager
def called(option: str, instead: str) -> Iterator[None]:
    """Call an option by the name that a user gave it under, in what an InputError says."""
    try:
        yield
    except InputError as error:
        raise InputError(str(error).replace(option, instead)) from None


def one_of(name: str, value: object, allowed: Collection[object]) -> None:
    """Raise an InputError unless a value is one of these words."""
    if value not in allowed:
        words = ", ".join(
            str(word).lower() if isinstance(word, bool) else str(word) for word in allowed
        )
        raise InputError(f"{name}: expected one of {words}, got {value!r}")


def at_least(name: str, value: float, least: float) -> None:
    """Raise an InputError unless a number is large enough."""
    if not (_is_number(value) and value >= least):
        raise InputError(f"{name}: expected at least {least}, got {value!r}")


def low_and_high(name: str, value: object) -> tuple[float, float]:
    """Return two finite numbers.

    Raises:
        InputError: for anything else.
    """
    told = [*value] if isinstance(value, Iterable) and not isinstance(value, str) else []
    numbers = [v for v in told if _is_number(v) and isfinite(v)]
    if len(told) != 2 or len(numbers) != 2:
        raise InputError(
            f"{name}: expected [low, high], two numbers, got {told or repr(value)}; such as "
            f"{name}=[0.2,1.0]"
        )
    return numbers[0], numbers[1]


def whole_number(name: str, value: int, least: int) -> None:
    """Raise an InputError unless a value is a whole number that is large enough."""
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
    """Tell whether a value is a finite number."""
    return isinstance(value, int | float) and type(value) is not bool and -inf < value < inf
