"""A generator as a transform of `torchvision.transforms.v2`, which lightly composes too."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import PIL.Image
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import Transform
from torchvision.transforms.v2.functional import pil_to_tensor

from infomin.core.errors import InputError, probability
from infomin.export.transforms.views import ViewTransform
from infomin.generator import ViewGenerator

_Images = (PIL.Image.Image, tv_tensors.Image, tv_tensors.Video)
"""Types that are images by name. A plain tensor is an image where a sample has none of them."""


def _is_plain(x: Any) -> bool:
    """Return whether an input is a plain tensor of images, no label, box, mask or `TVTensor`."""
    return isinstance(x, Tensor) and not isinstance(x, tv_tensors.TVTensor) and x.ndim >= 3


class TorchvisionViews(Transform):
    """Map an image to its views, each a `tv_tensors.Image`, `c_i h w`, float32; gradients pass.

    Inputs are PIL images, `tv_tensors.Image` and `tv_tensors.Video`, whose views are videos, or one
    plain tensor; alone or in nested lists, tuples and dictionaries. Labels, boxes and masks beside
    them pass unchanged. g acts on each pixel alone, so crops, flips and normalisation can
    come before or after it. A crop after it is the same for all views of an image.

        v2.Compose([v2.RandomResizedCrop(96), TorchvisionViews("my_generator")])
        MultiViewTransform([v2.Compose([crop, TorchvisionViews(g, view=i)]) for i in (0, 1)])

    Arguments:
        generator, learned, table: as in `infomin.export.transforms.views.ViewTransform`.
        view: index of the one view to return, from 0; None returns the tuple of all.
        p: probability of g; otherwise the image gets raw channels, as g starts from.

    Raises:
        InputError: for images with other channels or another range than those of g, and for a
            sample without images or with several plain tensors that could be images.
    """

    _transformed_types = (*_Images, _is_plain)

    def __init__(
        self,
        generator: str | Path | ViewGenerator,
        view: int | None = None,
        p: float = 1.0,
        learned: str | Sequence[int] = "all",
        table: bool | str = "auto",
    ) -> None:
        super().__init__()
        self.views = ViewTransform(generator, learned, table)
        count = len(self.views.generator.groups)
        if view is not None and view not in range(count):
            raise InputError(f"view: expected 0..{count - 1}, got {view}")
        probability("p", p)
        self.view, self.p = view, p

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Raise an InputError unless it is clear which parts of a sample are images."""
        if any(isinstance(x, _Images) for x in flat_inputs):
            return
        plain = [x for x in flat_inputs if _is_plain(x)]
        if not plain:
            types = dict.fromkeys(type(x).__name__ for x in flat_inputs)
            raise InputError(
                "images: expected a PIL image, a tensor c h w, or an Image or Video of "
                f"torchvision.tv_tensors, got {', '.join(types) or 'none'}; torchvision's "
                "v2.ToImage() makes an Image of an array"
            )
        channels = self.views.generator.channels
        if sum(x.shape[-3] == channels for x in plain) > 1:
            raise InputError(
                f"images: expected one plain tensor of {channels} channels, got several; wrap "
                "images in tv_tensors.Image, other tensors pass unchanged then"
            )

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Sample whether g is applied, once for all images of a sample."""
        return {"apply": self.p == 1 or bool(torch.rand(()) < self.p)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the views of one image, a batch or a video."""
        kind = tv_tensors.Video if isinstance(inpt, tv_tensors.Video) else tv_tensors.Image
        images = [kind(view) for view in self.views(_tensor(inpt), params["apply"])]
        return tuple(images) if self.view is None else images[self.view]


def _tensor(image: Any) -> Tensor:
    if not isinstance(image, PIL.Image.Image):
        return torch.as_tensor(image).as_subclass(Tensor)
    if image.mode != "RGB":
        raise InputError(
            f"images: expected PIL images of mode RGB, got {image.mode}; convert them, or give "
            "tensors of the generator's channels"
        )
    return pil_to_tensor(image)
