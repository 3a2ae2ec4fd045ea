"""Registries: classes and functions by the name that configurations choose them by."""

from collections.abc import Callable, Iterable
from importlib import import_module
from pkgutil import iter_modules
from typing import Generic, TypeVar

from infomin.core.errors import one_of

T = TypeVar("T")
R = TypeVar("R")


class Registry(dict[str, T], Generic[T]):
    """Things of one kind by name; `@registry.register("name")` above a definition adds it.

    Arguments:
        option: name of the option that chooses one, for messages.
    """

    def __init__(self, option: str) -> None:
        super().__init__()
        self.option = option

    def register(self, name: str) -> Callable[[R], R]:
        """Return a decorator that adds what it decorates under a name."""

        def add(thing: R) -> R:
            self[name] = thing  # type: ignore[assignment]
            return thing

        return add

    def find(self, name: object) -> T:
        """Return the thing of a name.

        Raises:
            InputError: for an unknown name; lists the known ones.
        """
        one_of(self.option, name, sorted(self))
        return self[str(name)]


def import_modules(package: str, path: Iterable[str]) -> None:
    """Import all modules of a package, so that a new file registers itself by being there."""
    for module in iter_modules([*path]):
        import_module(f"{package}.{module.name}")
