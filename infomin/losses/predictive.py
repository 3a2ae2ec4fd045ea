r"""How far a prediction of pixels is off: what a view is told from another by, without negatives.

    l1   mean |p - v|       where nothing is known: the mean absolute deviation from the median
    l2   mean (p - v)^2     where nothing is known: the variance

Means are over images, channels and pixels. L1 is in the units of the view, L2 in their square: raw
views and those of sensors have channels within [-1, 1], learned ones the range that g gives them.
CMC (arXiv:1906.05849) holds contrast against both.
"""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from infomin.core.errors import InputError

Predicted = Float[Tensor, "b c h w"]
Target = Float[Tensor, "_ _ _ _"]
Error = Float[Tensor, ""]


def l1(predicted: Predicted, target: Target) -> Error:
    """Return the mean absolute error of a pixel.

    Raises:
        InputError: for another shape than the target's, or no pixel.
    """
    _match(predicted, target)
    return (predicted - target).abs().mean()


def l2(predicted: Predicted, target: Target) -> Error:
    """Return the mean squared error of a pixel.

    Raises:
        InputError: as `l1`.
    """
    _match(predicted, target)
    return (predicted - target).square().mean()


PREDICTIVE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"l1": l1, "l2": l2}


def _match(predicted: Tensor, target: Tensor) -> None:
    if predicted.shape != target.shape or target.numel() == 0:
        raise InputError(
            f"predicted: expected the shape of the target, b c h w = {[*target.shape]} with at "
            f"least one pixel, got {[*predicted.shape]}"
        )
