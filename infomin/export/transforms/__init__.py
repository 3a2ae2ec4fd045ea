"""A learned generator as a transform of the library you use already; no training code is imported.

`TorchvisionViews` for `torchvision.transforms.v2` and lightly's `MultiViewTransform`, `KorniaViews`
for `kornia.augmentation.AugmentationSequential`, `NumpyViews` for everybody else.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["KorniaViews", "NumpyViews", "TorchvisionViews"]

if TYPE_CHECKING:
    from infomin.export.transforms.kornia import KorniaViews
    from infomin.export.transforms.numpy import NumpyViews
    from infomin.export.transforms.torchvision import TorchvisionViews

_HOMES = {"KorniaViews": "kornia", "NumpyViews": "numpy", "TorchvisionViews": "torchvision"}


def __getattr__(name: str) -> Any:
    """Import a transform, and the library it is for, when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
