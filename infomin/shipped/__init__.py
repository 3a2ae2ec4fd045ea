"""Generators that come with the package, learned by its own runs: some 13 kilobytes each.

What each was learned on and by which command: `docs/generators.md`.
"""

from pathlib import Path

from infomin.core.errors import InputError

_HOME = Path(__file__).parent


def list_generators() -> tuple[str, ...]:
    """Return the names that `infomin.load_generator` knows."""
    return tuple(sorted(card.parent.name for card in _HOME.glob("*/card.json")))


def located(generator: str | Path) -> Path:
    """Return the folder of a generator, named by its path or shipped under this name.

    Raises:
        InputError: when there is no such folder and no such name.
    """
    folder = Path(generator)
    try:
        if folder.exists():
            return folder
    except OSError:  # a name too long for a path
        pass
    if str(generator) in list_generators():
        return _HOME / str(generator)
    raise InputError(
        f"{generator}: no such folder, and no generator of this package: "
        + ", ".join(list_generators())
    )
