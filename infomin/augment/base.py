"""The contract of an augmentation: sample parameters for a batch, then apply them.

Sampling and applying are apart so that several processes sample the same parameters, and each
applies its slice of them.
"""

from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class Augmentation(Protocol):
    """Changes a batch of images, each by its own sampled parameters.

    Parameters are frozen dataclasses of tensors (`core.batching.Params`). `params[slice]` selects
    samples, and `concatenate` joins batches. They are sampled on the CPU; images are on any device.
    """

    def sample(self, n: int, height: int, width: int, generator: torch.Generator) -> Any:
        """Sample the parameters of n images of this height and width."""

    def apply(self, images: Tensor, params: Any) -> Tensor:
        """Return the augmented images; float, in [0, 1] for uint8, unless stated otherwise."""
        raise NotImplementedError

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of the results for images of this height and width."""
        raise NotImplementedError

    def check_size(self, height: int, width: int, setting: str = "encoder.size") -> None:
        """Check that images of this height and width are large enough.

        Arguments:
            height, width: of the images, in pixels.
            setting: the option that sets the size of the results, as the error names it.

        Raises:
            InputError: for images that are too small.
        """

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Sample and apply."""
        n, _, height, width = images.shape
        return self.apply(images, self.sample(n, height, width, generator))
