"""A generator as a transform of torchvision, lightly, kornia or NumPy, without training code.

`TorchvisionViews` works in `torchvision.transforms.v2` and lightly's `MultiViewTransform`,
`KorniaViews` in `kornia.augmentation.AugmentationSequential`, `NumpyViews` on arrays.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["KorniaViews", "NumpyViews", "TorchvisionViews"]

if TYPE_CHECKING:
    from infomin.export.transforms.kornia import KorniaViews
    from infomin.export.transforms.torchvision import TorchvisionViews
    from infomin.export.transforms.views import NumpyViews

_MODULES = {"KorniaViews": "kornia", "NumpyViews": "views", "TorchvisionViews": "torchvision"}


def __getattr__(name: str) -> Any:
    """Import a transform and its library when it is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
