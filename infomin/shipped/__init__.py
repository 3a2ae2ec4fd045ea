"""Trained generators inside the package, about 13 kB each.

`docs/generators.md` lists their data and the commands that trained them.
"""

from pathlib import Path

from infomin.core.errors import InputError
from infomin.core.files import user_path

_HOME = Path(__file__).parent


def list_generators() -> tuple[str, ...]:
    """Return the names of the generators in this package, for `infomin.load_generator`."""
    return tuple(sorted(card.parent.name for card in _HOME.glob("*/card.json")))


def generator_folder(generator: str | Path) -> Path:
    """Return the folder of a generator, given its path or its name in this package.

    Raises:
        InputError: when neither a folder nor a generator of this name exists.
    """
    folder = user_path(generator)
    try:
        if folder.exists():
            return folder
    except OSError:  # a name too long for a path
        pass
    if str(generator) in list_generators():
        return _HOME / str(generator)
    raise InputError(
        f"generator: expected a folder or a name of this package, got {generator}; choose one of "
        + ", ".join(list_generators())
    )
