"""What evaluation reads: features of whole images, and held-out embeddings of crops."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from infomin.augment import Augment, resize
from infomin.core import presence, rng
from infomin.core.errors import InputError
from infomin.core.presence import Present
from infomin.information import CosineCritic, Estimate, estimate
from infomin.models import Encoders
from infomin.views import View


@torch.no_grad()
def extract(
    views: View,
    encoders: Encoders,
    images: Tensor,
    size: int,
    tap: str | None = None,
    chunk: int = 512,
    present: Present | None = None,
) -> Float[Tensor, "n d"]:
    """Return frozen features of whole images, all encoders side by side, on the CPU.

    Features of views that an image lacks are zeros; nothing goes through their encoders.

    Arguments:
        views, encoders: put into evaluation mode for the time, then back.
        images: `n c h w`, of a data set, in its own type.
        size: side that the encoders expect.
        tap: of the backbones; None is the last.
        chunk: images at a time.
        present: who has which of the views; None is all.
    """
    was = encoders.training
    encoders.eval()
    tables = presence.split(present, len(images), chunk)
    parts = [
        encoders.features(views.split(resize(part, size)), tap, here).cpu()
        for part, here in zip(images.split(chunk), tables, strict=True)
    ]
    encoders.train(was)
    return torch.cat(parts)


@torch.no_grad()
def held_out_embeddings(
    views: View,
    encoders: Encoders,
    images: Tensor,
    augment: Augment,
    seed: int = 0,
    chunk: int = 512,
    present: Present | None = None,
) -> tuple[Float[Tensor, "n d"], ...]:
    """Return the embeddings of every view of held-out images, drawn as in training, on the CPU.

    Embeddings of views that an image lacks are zeros.

    Arguments:
        views, encoders: put into evaluation mode for the time, then back.
        images: `n c h w`, of a data set, in its own type.
        augment: cuts the crops.
        seed: of crops and whatever else views draw.
        chunk: images at a time.
        present: who has which of the views; None is all.
    """
    was = encoders.training
    encoders.eval()
    tables = presence.split(present, len(images), chunk)
    z: list[list[Tensor]] = []
    for i, (part, here) in enumerate(zip(images.split(chunk), tables, strict=True)):
        crops = [
            augment(part, rng.generator(seed, "held out", view, i)) for view in range(views.crops)
        ]
        drawn = views.sample(len(part), rng.generator(seed, "held out", "combine", i))
        rows = encoders(presence.only(views(*crops, drawn=drawn), here))
        z.append([embedding.cpu() for embedding in presence.put_back(rows, here)])
    encoders.train(was)
    return tuple(torch.cat(parts) for parts in zip(*z, strict=True))


def i_nce_between(
    z1: Float[Tensor, "n d"], z2: Float[Tensor, "n d"], temperature: float, k: int, seed: int = 0
) -> Estimate:
    """Estimate I_NCE between the embeddings of two views, with the critic of pretraining.

    Both directions averaged, K in the denominator (or fewer, where there are fewer images), a
    bootstrap interval over images.
    """
    generator = rng.generator(seed, "bootstrap")
    return estimate(z1, z2, CosineCritic(temperature), min(k, len(z1)), generator)


def held_out_i_nce(
    views: View,
    encoders: Encoders,
    images: Tensor,
    augment: Augment,
    temperature: float,
    k: int,
    seed: int = 0,
    present: Present | None = None,
) -> Estimate:
    """Estimate I_NCE between the first two views of held-out images; see `i_nce_between`.

    Where images lack views, on those that have both.
    """
    z1, z2, *_ = held_out_embeddings(views, encoders, images, augment, seed, present=present)
    who = presence.both(present, 0, 1)
    return i_nce_between(presence.chosen(z1, who), presence.chosen(z2, who), temperature, k, seed)


def sizes(k: int | Sequence[int] | None, images: int) -> tuple[int, ...]:
    """Return the K to measure at: those asked for, or 64, 256, ... as far as the images go.

    Raises:
        InputError: for a K below 2 or beyond the number of images.
    """
    if k is None:
        powers = [4**i for i in range(3, 13) if 4**i <= images]
        return tuple(powers) or (images,)
    asked = (k,) if isinstance(k, int) else tuple(k)
    for size in asked:
        if not 2 <= size <= images:
            raise InputError(f"k: expected 2 <= K <= {images} held-out images, got {size}")
    return asked
