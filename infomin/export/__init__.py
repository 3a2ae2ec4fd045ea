"""Generators and encoders for other people: files they can open, transforms they can compose."""

from typing import TYPE_CHECKING, Any

__all__ = ["FORMATS", "export"]

if TYPE_CHECKING:
    from infomin.export.folder import FORMATS, export


def __getattr__(name: str) -> Any:
    """Import what writes files when it is first used, so that transforms do without."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from infomin.export import folder

    return getattr(folder, name)
