"""Real images that an export is verified on, and what was found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from infomin.core.errors import InputError
from infomin.core.shapes import Images, Views
from infomin.generator import ViewGenerator


@dataclass(frozen=True)
class Sample:
    """Images, and the views that g makes of them.

    Attributes:
        images: `b c h w`, float32, in the units of the generator.
        views: of the float32 generator.
        data: where the images are from.
    """

    images: Images
    views: Views
    data: str

    @classmethod
    @torch.no_grad()
    def of(cls, generator: ViewGenerator, images: Images, data: str) -> "Sample":
        """Make the views.

        Raises:
            InputError: for no images, images that do not fit the generator, or infinite views.
        """
        if not len(images):
            raise InputError(f"data {data}: expected images to verify an export on, got none")
        views = generator(images)
        if not all(v.isfinite().all() for v in views):
            raise InputError(f"generator: makes infinite views of {data}; its weights are absurd")
        return cls(images, views, data)

    def eight_bits(self, generator: ViewGenerator) -> "Sample":
        """Return the same images rounded to 8 bits."""
        return Sample.of(generator, (self.images * 255).round() / 255, self.data)

    def verified(
        self,
        file: str,
        made: Sequence[Tensor],
        largest: float,
        mean: float = float("inf"),
        scale: Sequence[Tensor] | None = None,
    ) -> dict[str, Any]:
        """Compare views that an exported file made of these images with those of g.

        Arguments:
            file: its name.
            made: the views that the file makes.
            largest, mean: bounds of the error.
            scale: what errors are divided by, a number for each channel of each view.

        Returns:
            What the card says of the file.

        Raises:
            InputError: with the figure, when a bound is missed.
        """
        errors = [(a - b).abs() for a, b in zip(made, self.views, strict=True)]
        if scale is not None:
            errors = [e / s[:, None, None] for e, s in zip(errors, scale, strict=True)]
        found = torch.cat([e.flatten() for e in errors])
        n, most, average = len(self.images), found.max().item(), found.mean().item()
        for name, error, bound in (("largest", most, largest), ("mean", average, mean)):
            if not error <= bound:
                raise InputError(
                    f"{file}: {name} error {error:.1e} on {n} images of {self.data}, expected at "
                    f"most {bound:.1e}; nothing was exported, leave this format out"
                )
        return {
            "max_error": most,
            "mean_error": average,
            "max_bound": largest,
            **({"mean_bound": mean} if mean < float("inf") else {}),
            "relative": scale is not None,
            "data": self.data,
            "images": n,
            "pixels": self.images[:, 0].numel(),
        }
