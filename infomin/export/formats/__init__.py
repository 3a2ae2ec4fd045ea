"""Export formats. Each module in this folder registers one; a new format is one new file.

class Weights(Format):
    name = "weights"
    files = ("weights.npz",)
    opened_by = "numpy.load"

    def write(self, generator, folder, sample): ...
"""

from abc import ABC, abstractmethod
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, ClassVar

from infomin.core.errors import InputError
from infomin.export.sample import Sample
from infomin.generator import ViewGenerator

FORMATS: dict[str, "Format"] = {}
"""Every format, by its name."""


class Format(ABC):
    """A way to store g for other programs.

    Attributes:
        name: the word in `formats=`.
        files: names of the files that `write` can make.
        opened_by: programs that open them, in Markdown.
        usage: code for the README of an export, with {views} and {channels} to fill in.
        language: language of that code.
        default: whether `formats=null` includes it for generators that it can hold.
        packages: packages of the extra `infomin[<name>]` that `write` imports.
    """

    name: ClassVar[str]
    files: ClassVar[tuple[str, ...]]
    opened_by: ClassVar[str]
    usage: ClassVar[str]
    language: ClassVar[str] = "python"
    default: ClassVar[bool] = True
    packages: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        FORMATS[cls.name] = cls()

    def check(self, generator: ViewGenerator) -> None:  # noqa: B027 (most formats hold any)
        """Check that the format can hold a generator.

        Raises:
            InputError: when it cannot.
        """

    def accepts(self, generator: ViewGenerator) -> bool:
        """Return whether the format can hold a generator."""
        try:
            self.check(generator)
        except InputError:
            return False
        return True

    def check_packages(self) -> None:
        """Check that `packages` are installed.

        Raises:
            InputError: with the command that installs them.
        """
        for package in self.packages:
            if find_spec(package) is None:
                raise InputError(
                    f"{self.name}: {package} is not installed; pip install 'infomin[{self.name}]', "
                    f"or leave {self.name} out of formats"
                )

    @abstractmethod
    def write(self, generator: ViewGenerator, folder: Path, sample: Sample) -> dict[str, Any]:
        """Write the files, read each back and compare its views with those of g on the sample.

        Returns:
            A record of `Sample.compare` for each file, by its name.

        Raises:
            InputError: when an error is above its bound.
        """


for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
