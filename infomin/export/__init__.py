"""Files and transforms that bring generators and encoders into other people's pipelines."""

from typing import TYPE_CHECKING, Any

__all__ = ["export"]

if TYPE_CHECKING:
    from infomin.export.folder import export


def __getattr__(name: str) -> Any:
    """Import `export` when it is first used, so that transforms do not load the exporters."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from infomin.export import folder

    return getattr(folder, name)
