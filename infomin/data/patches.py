"""Square patches of images, at places that a seed determines."""

import torch
from jaxtyping import Num
from torch import Tensor

from infomin.core.errors import InputError


def random_patches(
    image: Num[Tensor, "c h w"],
    size: int,
    count: int,
    generator: torch.Generator,
    option: str,
    name: str,
) -> Num[Tensor, "n c s s"]:
    """Cut squares at uniformly random places out of an image.

    Arguments:
        image: the image.
        size: side of the squares, in pixels.
        count: number of squares.
        generator: of the places.
        option, name: the option that sets the size, and the image, for an error message.

    Raises:
        InputError: for squares that are larger than the image.
    """
    height, width = image.shape[1:]
    largest = min(height, width)
    if not 1 <= size <= largest:
        raise InputError(f"{option}: expected 1..{largest} pixels to fit into {name}, got {size}")
    top = torch.randint(height - size + 1, (count,), generator=generator).tolist()
    left = torch.randint(width - size + 1, (count,), generator=generator).tolist()
    return torch.stack(
        [image[:, y : y + size, x : x + size] for y, x in zip(top, left, strict=True)]
    )
