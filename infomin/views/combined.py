"""Learned views combined with the experts': g for some samples or views, colour jitter after it.

    order=after     crop -> photometric, RandAugment -> g   (of crops, `augment.Pipeline`)
    order=before    crop -> g -> photometric, motions       (of views, here)

Where g is left out the view has the raw channels of the space that g starts from, as many as g
would have made of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Bool
from torch import Tensor

from infomin.augment import RandAugment, RandAugmentParams
from infomin.augment.color_jitter import ColorJitter, ColorJitterParams
from infomin.core.batching import Params, to_device
from infomin.core.channel_groups import split
from infomin.core.errors import InputError, probability
from infomin.core.shapes import Image, Images, Views
from infomin.core.value_range import color_name
from infomin.generator import ViewGenerator
from infomin.views.base import register_view
from infomin.views.color_table import ColorTable
from infomin.views.learned import LearnedViews


@dataclass(frozen=True)
class CombinedParams(Params):
    """Sampled parameters of a batch.

    Attributes:
        learned: whether g makes the views of a sample.
        color_jitter: of each view; empty when colours change before g.
        randaugment: geometric transforms of each view; likewise.
    """

    learned: Bool[Tensor, " n"]
    color_jitter: tuple[ColorJitterParams, ...]
    randaugment: tuple[RandAugmentParams, ...]


@register_view("combined")
class CombinedViews(LearnedViews):
    """Views of g for some samples or views, raw channels for the others; colour changes after g.

    One draw decides for all views of a sample, so that they are always parts of one image. An
    evaluation uses g for every sample, and changes no colours.

    Arguments:
        generator: g.
        p: probability that g makes the views of a sample.
        chosen: indices of the views that g makes, or `all`; the others are always raw.
        photometric: changes each view after g, with parameters of its own.
        randaugment: then transforms each view geometrically; see its `apply_to_view`.
        crops, table: see `LearnedViews`.

    Raises:
        InputError: for a p outside [0, 1], or views that g does not have.
    """

    def __init__(
        self,
        generator: ViewGenerator,
        p: float = 1.0,
        chosen: Sequence[int] | str = "all",
        photometric: ColorJitter | None = None,
        randaugment: RandAugment | None = None,
        crops: str = "per_view",
        table: ColorTable | None = None,
    ) -> None:
        super().__init__(generator, crops, table)
        probability("views.combine.p", p)
        number = len(self.view_channels)
        every = tuple(range(number))
        self.chosen = every if chosen == "all" else tuple(chosen if _is_list(chosen) else ())
        if not self.chosen or not {*self.chosen} <= {*every}:
            raise InputError(
                f"views.combine.views: expected all, or some of {[*every]}, got {chosen}"
            )
        self.p, self.photometric, self.randaugment = p, photometric, randaugment

    def to_config(self) -> dict[str, Any]:
        """Return the arguments of the class; an evaluation changes no colours."""
        return {**super().to_config(), "p": self.p, "chosen": list(self.chosen)}

    def sample(self, n: int, generator: torch.Generator) -> CombinedParams:
        """Sample which samples g makes, and how their views change afterwards."""
        learned = torch.rand(n, generator=generator) < self.p
        views = self.view_channels
        jitter, rand = self.photometric, self.randaugment
        color_jitter = tuple(jitter.sample(n, generator) for _ in views) if jitter else ()
        randaugment = tuple(rand.sample(n, generator) for _ in views) if rand else ()
        return CombinedParams(learned, color_jitter, randaugment)

    def forward(self, *crops: Image, params: CombinedParams | None = None) -> Views:
        """Return M views; see `View`."""
        views = super().forward(*crops)
        if params is None:
            return views
        if not params.learned.all():
            learned = rearrange(to_device(params.learned, crops[0].device), "b -> b 1 1 1")
            each = crops if len(crops) > 1 else crops * len(views)
            views = tuple(
                torch.where(learned, view, self.raw(crop)[i])
                for i, (view, crop) in enumerate(zip(views, each, strict=True))
            )
        if self.photometric is not None:
            pairs = zip(views, params.color_jitter, strict=True)
            views = tuple(self.photometric.apply_to_view(view, jitter) for view, jitter in pairs)
        if self.randaugment is not None:
            chosen = zip(views, params.randaugment, strict=True)
            views = tuple(self.randaugment.apply_to_view(view, own) for view, own in chosen)
        return views

    def split(self, x: Images) -> Views:
        """Return all views of one crop."""
        learned, raw = super().split(x), self.raw(x)
        return tuple(learned[i] if i in self.chosen else raw[i] for i in range(len(raw)))

    def one(self, x: Images, i: int) -> Image:
        """Return view i alone."""
        return super().one(x, i) if i in self.chosen else self.raw(x)[i]

    def raw(self, x: Images) -> Views:
        """Return the channels that g starts from, split as g's views are."""
        return split(self.generator.raw(x), self.generator.groups)

    def __str__(self) -> str:
        """Return a short name for runs and tables."""
        return f"combined-{color_name(self.generator.color, self.generator.channel_names)}"


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
