"""Export formats. Modules in this folder register them; a new format is one new file.

FORMATS["weights"] = Format(write, files=("weights.npz",), opened_by="`numpy.load`", usage="...")
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from infomin.core.errors import InputError
from infomin.core.registry import Registry, import_modules
from infomin.export.sample import Sample
from infomin.generator import ViewGenerator

FORMATS: Registry["Format"] = Registry("formats")
"""Every format, by its name."""


def _any_generator(generator: ViewGenerator) -> None:
    """Accept every generator."""


@dataclass(frozen=True)
class Format:
    """A way to store g for other programs.

    Attributes:
        write: writes the files into a folder, reads each back and compares its views with those of
            g on the sample. Returns a record of `Sample.compare` for each file, by its name. Raises
            an InputError when an error is above its bound.
        files: names of the files that `write` can make.
        opened_by: programs that open them, in Markdown.
        usage: code for the README of an export, with {views} and {channels} to fill in.
        language: language of that code.
        default: whether `formats=null` includes it for generators that it can hold.
        packages: packages that `write` imports; pip installs them by the same names.
        check: raises an InputError for a generator that the format cannot hold.
    """

    write: Callable[[ViewGenerator, Path, Sample], dict[str, Any]]
    files: tuple[str, ...]
    opened_by: str
    usage: str
    language: str = "python"
    default: bool = True
    packages: tuple[str, ...] = ()
    check: Callable[[ViewGenerator], None] = _any_generator


def default_formats(generator: ViewGenerator) -> tuple[str, ...]:
    """Return the formats that a generator is exported in unless others are chosen.

    Formats whose packages are not installed are left out.
    """

    def fits(name: str) -> bool:
        try:
            check_format(name, generator)
        except InputError:
            return False
        return FORMATS[name].default

    return tuple(name for name in FORMATS if fits(name))


def missing_packages(name: str) -> str:
    """Return the packages of a format that are not installed, in the words of pip."""
    return " ".join(p for p in FORMATS[name].packages if find_spec(p) is None)


def check_format(name: str, generator: ViewGenerator) -> None:
    """Check that a generator can be written in a format.

    Raises:
        InputError: for an unknown format, one whose packages are not installed, or one that cannot
            hold the generator.
    """
    format = FORMATS.find(name)
    if packages := missing_packages(name):
        raise InputError(
            f"{name}: needs packages that are not installed; pip install {packages}, or leave "
            f"{name} out of formats"
        )
    format.check(generator)


import_modules(__name__, __path__)
