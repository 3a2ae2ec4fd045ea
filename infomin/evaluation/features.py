"""What evaluation reads: features of whole images, and held-out embeddings of crops."""

import torch
from jaxtyping import Float
from torch import Tensor

from infomin import rng
from infomin.augment import Augment, resize
from infomin.encoders import Towers
from infomin.information import Estimate, estimate
from infomin.views import View


@torch.no_grad()
def extract(
    views: View, towers: Towers, images: Tensor, size: int, tap: str | None = None, chunk: int = 512
) -> Float[Tensor, "n d"]:
    """Return frozen features of whole images, all towers side by side, on the CPU.

    Arguments:
        views, towers: put into evaluation mode for the time, then back.
        images: `n c h w`, of a data set, in its own type.
        size: side that the towers expect.
        tap: of the backbones; None is the last.
        chunk: images at a time.
    """
    was = towers.training
    towers.eval()
    parts = [
        towers.features(views.split(resize(part, size)), tap).cpu() for part in images.split(chunk)
    ]
    towers.train(was)
    return torch.cat(parts)


@torch.no_grad()
def held_out_i_nce(
    views: View,
    towers: Towers,
    images: Tensor,
    augment: Augment,
    temperature: float,
    k: int,
    seed: int = 0,
    chunk: int = 512,
) -> Estimate:
    """Estimate I_NCE between the first two views of held-out images, drawn as in training.

    Both directions averaged, K in the denominator (or fewer, where there are fewer images), a
    bootstrap interval over images.
    """
    was = towers.training
    towers.eval()
    z: list[list[Tensor]] = []
    for i, part in enumerate(images.split(chunk)):
        crops = [
            augment(part, rng.generator(seed, "held out", view, i)) for view in range(views.crops)
        ]
        drawn = views.sample(len(part), rng.generator(seed, "held out", "combine", i))
        z.append([embedding.cpu() for embedding in towers(views(*crops, drawn=drawn))])
    towers.train(was)
    z1, z2 = (torch.cat([part[view] for part in z]) for view in (0, 1))
    return estimate(z1, z2, temperature, min(k, len(z1)), rng.generator(seed, "bootstrap"))
