"""For `torchvision.transforms.v2`, and for lightly, which composes the same transforms."""

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
from infomin.export.transforms.pixels import Pixels
from infomin.generator import ViewGenerator


def _bare(x: Any) -> bool:
    """Tell a tensor without a meaning from boxes, masks and the like, which pass."""
    return isinstance(x, Tensor) and not isinstance(x, tv_tensors.TVTensor)


class TorchvisionViews(Transform):
    """Image -> its learned views, as `tv_tensors.Image`, float32.

    Takes what v2 takes, PIL images, uint8 or float tensors, `tv_tensors.Image`, alone or beside
    labels and boxes, which pass. It composes before and after crops, flips and normalisation: g is
    pixel-wise, and a transform behind it gives all views of an image the same crop.

        v2.Compose([v2.RandomResizedCrop(96), TorchvisionViews("my_generator")])
        MultiViewTransform([v2.Compose([crop, TorchvisionViews(g, view=i)]) for i in (0, 1)])

    Arguments:
        generator: its folder.
        view: the one view wanted, from 0; None gives the tuple of all.
        p: probability that g is applied; raw channels, the space g starts from, otherwise.
        learned: the views that g makes, `all` or numbers; the others are raw channels.
        table: look 8-bit images up in the table of all colours; auto wherever that can be.

    Raises:
        InputError: for images that g was not learned on: other channels, another range.
    """

    _transformed_types = (_bare, tv_tensors.Image, PIL.Image.Image)

    def __init__(
        self,
        generator: str | Path | ViewGenerator,
        view: int | None = None,
        p: float = 1.0,
        learned: str | Sequence[int] = "all",
        table: bool | str = "auto",
    ) -> None:
        super().__init__()
        self.pixels = Pixels(generator, learned, table)
        views = len(self.pixels.generator.groups)
        if view is not None and view not in range(views):
            raise InputError(f"view: expected 0..{views - 1}, got {view}")
        probability("p", p)
        self.view, self.p = view, p

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw whether g is applied, once for all images of a sample."""
        return {"apply": self.p == 1 or bool(torch.rand(()) < self.p)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Make the views of one image, or of a batch."""
        x = _tensor(inpt)
        made = self.pixels(x[None] if x.ndim == 3 else x, params["apply"])
        views = [tv_tensors.Image(v[0] if x.ndim == 3 else v) for v in made]
        return tuple(views) if self.view is None else views[self.view]


def _tensor(image: Any) -> Tensor:
    if not isinstance(image, PIL.Image.Image):
        return torch.as_tensor(image).as_subclass(Tensor)
    if image.mode != "RGB":
        raise InputError(
            f"images: expected PIL images of mode RGB, got {image.mode}; convert them, or give "
            "tensors of the generator's channels"
        )
    return pil_to_tensor(image)
