"""A generator as a kornia augmentation, for `kornia.augmentation.AugmentationSequential`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kornia.augmentation import IntensityAugmentationBase2D
from torch import Tensor

from infomin.core.channel_groups import join, split
from infomin.core.pixels import to_float
from infomin.core.shapes import Images, Views
from infomin.export.transforms.views import ViewTransform
from infomin.generator import ViewGenerator


class KorniaViews(IntensityAugmentationBase2D):
    """Map images `b c h w` to all output channels of g, `b c h w`, float32; gradients pass.

    Masks, boxes and labels pass unchanged. The number of channels stays the same, so crops and
    flips can follow. `split` divides the channels into views at the end.

        views = KorniaViews("my_generator")
        augment = AugmentationSequential(RandomResizedCrop((96, 96)), views)
        v1, v2 = views.split(augment(images))

    Arguments:
        generator, learned: as in `infomin.export.transforms.views.ViewTransform`.
        p: probability of g for each image; otherwise the image gets raw channels.
        same_on_batch, keepdim: as in kornia.

    Raises:
        InputError: for images with other channels or another range than those of g.
    """

    def __init__(
        self,
        generator: str | Path | ViewGenerator,
        p: float = 1.0,
        learned: str | Sequence[int] = "all",
        same_on_batch: bool = False,
        keepdim: bool = False,
    ) -> None:
        super().__init__(p=p, same_on_batch=same_on_batch, keepdim=keepdim)
        self.views = ViewTransform(generator, learned, table=False)  # images in kornia are float

    def forward(self, input: Tensor, params: Any = None, **kwargs: Any) -> Tensor:
        """Apply g to images of any type of `core.pixels`; kornia itself takes floats only."""
        g = self.views.generator
        floats = to_float(input, g.value_range, "this generator", g.dtype)
        result: Tensor = super().forward(floats, params, **kwargs)
        return result

    def split(self, y: Images) -> Views:
        """Divide output channels into views, `b c_i h w`."""
        return split(y, self.views.generator.groups)

    def apply_transform(self, input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Apply g."""
        return join(self.views(input), self.views.generator.groups)

    def apply_non_transform(self, input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Return raw channels, on the scale of the views."""
        return join(self.views(input, apply=False), self.views.generator.groups)
