"""Learn which views to contrast.

`infomin` learns an invertible, pixel-wise map g from images to a new colour space whose channels
are split into views (Tian et al., "What Makes for Good Views for Contrastive Learning?", 2020),
pretrains encoders on those views and measures what that gained.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["InputError", "ViewGenerator", "list_generators", "load_generator"]

if TYPE_CHECKING:
    from infomin.core.errors import InputError
    from infomin.generator import ViewGenerator, load_generator
    from infomin.shipped import list_generators

_HOMES = {
    "InputError": "core.errors",
    "ViewGenerator": "generator",
    "list_generators": "shipped",
    "load_generator": "generator",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import infomin` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'infomin' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"infomin.{_HOMES[name]}"), name)
