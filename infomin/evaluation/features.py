"""Features of whole images, and embeddings of held-out crops, for evaluations."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from infomin.augment import Augmentation, resize
from infomin.core import rng
from infomin.core.errors import InputError
from infomin.data.missing_views import ViewMask, having
from infomin.data.source import CHUNK, Source, as_source, in_chunks
from infomin.information import CosineCritic, Estimate, estimate
from infomin.models import Encoders
from infomin.views import View


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode, and restore its mode afterwards."""
    training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(training)


def device_of(module: nn.Module) -> torch.device:
    """Return the device of the parameters of a module."""
    return next(module.parameters()).device


@torch.no_grad()
def extract(
    views: View,
    encoders: Encoders,
    images: Source | Tensor,
    tap: str | None = None,
    chunk: int = CHUNK,
    view_mask: ViewMask | None = None,
) -> Float[Tensor, "n d"]:
    """Return frozen features of whole images, all encoders side by side, on the CPU.

    Arguments:
        images: `n c h w`, in their own type.
        tap: layer of the backbones; None is the last.
        view_mask: views that each image has; the features of the others are zeros.
    """
    parts: list[Tensor] = []
    with evaluating(encoders):
        for i, part in enumerate(in_chunks(as_source(images), device_of(encoders), chunk)):
            mask = None if view_mask is None else view_mask[i * chunk : (i + 1) * chunk]
            whole = resize(part, encoders.size)
            parts.append(encoders.features(views.split(whole), tap, mask).cpu())
    return torch.cat(parts)


@torch.no_grad()
def held_out_embeddings(
    views: View,
    encoders: Encoders,
    images: Source | Tensor,
    augment: Augmentation,
    seed: int = 0,
) -> tuple[Float[Tensor, "n d"], ...]:
    """Return the embeddings of every view of held-out images, sampled as in training, on the CPU.

    Arguments:
        images: `n c h w`, in their own type.
        augment: cuts the crops.
        seed: of crops and of all other sampling.
    """
    z: list[list[Tensor]] = []
    with evaluating(encoders):
        for i, part in enumerate(in_chunks(as_source(images), device_of(encoders))):
            crops = [
                augment(part, rng.generator(seed, "held out", view, i))
                for view in range(views.crops)
            ]
            params = views.sample(len(part), rng.generator(seed, "held out", "combine", i))
            z.append([embedding.cpu() for embedding in encoders(views(*crops, params=params))])
    return tuple(torch.cat(parts) for parts in zip(*z, strict=True))


def i_nce_between(
    z1: Float[Tensor, "n d"],
    z2: Float[Tensor, "n d"],
    temperature: float,
    k: int,
    seed: int = 0,
    losses: Sequence[float] = (),
) -> Estimate:
    """Estimate I_NCE between the embeddings of two views, with the critic of pretraining.

    K is that of the denominator, or the number of images where there are fewer. Held-out losses of
    the pretraining tell whether it ended too early; see `estimate`.
    """
    generator, critic = rng.generator(seed, "bootstrap"), CosineCritic(temperature)
    return estimate(z1, z2, critic, min(k, len(z1)), generator, losses=losses)


def held_out_i_nce(
    views: View,
    encoders: Encoders,
    images: Source | Tensor,
    augment: Augmentation,
    temperature: float,
    k: int,
    seed: int = 0,
    view_mask: ViewMask | None = None,
) -> Estimate:
    """Estimate I_NCE between the first two views of the held-out images that have both."""
    z1, z2, *_ = held_out_embeddings(views, encoders, images, augment, seed)
    both = having(view_mask, len(z1), 0, 1)
    return i_nce_between(z1[both], z2[both], temperature, k, seed)


def sizes(k: int | Sequence[int] | None, images: int) -> tuple[int, ...]:
    """Return the K to measure at: the given ones, or 64, 256, ... as far as the images go.

    Raises:
        InputError: for a K below 2 or beyond the number of images.
    """
    if k is None:
        powers = [4**i for i in range(3, 13) if 4**i <= images]
        return tuple(powers) or (images,)
    chosen = (k,) if isinstance(k, int) else tuple(k)
    for size in chosen:
        if not 2 <= size <= images:
            raise InputError(f"k: expected 2 <= K <= {images} held-out images, got {size}")
    return chosen
