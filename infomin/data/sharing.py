"""What the two views of Colorful-Moving-MNIST share: chosen factors, and how far."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from infomin.core.errors import InputError, one_of

FACTORS = ("digit", "position", "background")


@dataclass(frozen=True)
class Sharing:
    """Which factors v2 has in common with frame x_t, and what having them in common means.

    The paper does not say what "the same digit" is. Since v2 is built from x_t, and only the other
    factors are drawn anew, what is shared stays as it is by default, pixel by pixel: the same
    instance of a digit, the same crop of the same image. With `class`, only the class is shared.

    Attributes:
        factors: some of `FACTORS`, at least one.
        digit: `instance`, or `class`: another instance of the same class.
        background: `image`, or `class`: another image of the same class.
    """

    factors: Sequence[str]
    digit: str = "instance"
    background: str = "image"

    def __post_init__(self) -> None:
        known = ", ".join(FACTORS)
        told = self.factors if isinstance(self.factors, list | tuple) else [self.factors]
        if not told or not {*map(str, told)} <= {*FACTORS} or len({*told}) < len(told):
            raise InputError(
                f"shared: expected some of {known}, each once, such as [digit,position], got "
                f"{self.factors!r}"
            )
        object.__setattr__(self, "factors", tuple(name for name in FACTORS if name in told))
        one_of("sharing.digit", self.digit, ("instance", "class"))
        one_of("sharing.background", self.background, ("image", "class"))


class SameClass:
    """Draws, for every sample, another one of its class; the sample itself where there is none.

    Arguments:
        labels: of all samples.
    """

    def __init__(self, labels: Int64[Tensor, " n"]) -> None:
        self.order = labels.argsort(stable=True)
        counts = torch.bincount(labels)
        self.count, self.first = counts[labels], (counts.cumsum(0) - counts)[labels]
        self.place = self.order.argsort() - self.first

    def __call__(
        self, index: Int64[Tensor, " m"], generator: torch.Generator
    ) -> Int64[Tensor, " m"]:
        """Return the index of another sample for each, all others of the class equally likely."""
        count = self.count[index]
        onward = 1 + (torch.rand(len(index), generator=generator) * (count - 1)).floor().long()
        return self.order[self.first[index] + (self.place[index] + onward) % count]
