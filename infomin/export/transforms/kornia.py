"""For `kornia.augmentation.AugmentationSequential`: a member like any other."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kornia.augmentation import IntensityAugmentationBase2D
from torch import Tensor

from infomin.core.channel_groups import join, split
from infomin.core.shapes import Images, Views
from infomin.export.transforms.pixels import Pixels
from infomin.generator import ViewGenerator


class KorniaViews(IntensityAugmentationBase2D):
    """Images `b c h w` -> all output channels of g, `b c h w`; masks, boxes and labels pass.

    As many channels come out as went in, so that crops and flips go on behind it; `split` takes
    them apart into views in the end.

        views = KorniaViews("my_generator")
        augment = AugmentationSequential(RandomResizedCrop((96, 96)), views)
        v1, v2 = views.split(augment(images))

    Arguments:
        generator: its folder.
        p: probability, image by image, that g is applied; raw channels otherwise.
        learned: the views that g makes, `all` or numbers; the others are raw channels.
        same_on_batch, keepdim: kornia's.

    Raises:
        InputError: for images that g was not learned on: other channels, another range.
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
        self.pixels = Pixels(generator, learned, table=False)  # kornia's images are float

    def split(self, y: Images) -> Views:
        """Take the output channels apart into views."""
        return split(y, self.pixels.generator.groups)

    def apply_transform(
        self,
        input: Tensor,
        params: dict[str, Tensor],
        flags: dict[str, Any],
        transform: Tensor | None = None,
    ) -> Tensor:
        """Apply g."""
        return join(self.pixels(input), self.pixels.generator.groups)

    def apply_non_transform(
        self,
        input: Tensor,
        params: dict[str, Tensor],
        flags: dict[str, Any],
        transform: Tensor | None = None,
    ) -> Tensor:
        """Give raw channels, in the units of the views."""
        return join(self.pixels(input, apply=False), self.pixels.generator.groups)
