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
from infomin.core.batching import to_device
from infomin.core.channel_groups import split
from infomin.core.errors import InputError, probability
from infomin.core.shapes import Image, Images, Views
from infomin.generator import ViewGenerator
from infomin.views.base import register_view
from infomin.views.color_table import ColorTable
from infomin.views.learned import LearnedViews


@dataclass(frozen=True)
class CombinedParams:
    """What training leaves to chance in a batch.

    Attributes:
        learned: whether g makes the views of a sample.
        changes: of the colours of each view, none when they come before g.
        plans: motions of each view, likewise.
    """

    learned: Bool[Tensor, " n"]
    changes: tuple[ColorJitterParams, ...]
    plans: tuple[RandAugmentParams, ...]

    def part(self, which: slice) -> "CombinedParams":
        """Return what happens to a part of the batch."""
        changes = tuple(of_view.part(which) for of_view in self.changes)
        return CombinedParams(
            self.learned[which], changes, tuple(p.part(which) for p in self.plans)
        )


@register_view("combined")
class CombinedViews(LearnedViews):
    """Views of g with probability p, those chosen; raw channels otherwise.

    One draw decides for all views of a sample, so that they always are parts of one image: a
    learned brightness beside raw green and blue would share what g has taken apart. Evaluation
    takes g for every sample, and changes no colours.

    Arguments:
        generator: g.
        p: probability that g makes the views of a sample.
        chosen: views that g makes, by index, or `all`; the others are always raw.
        photometric: changes each view after g, by a draw of its own.
        randaugment: moves each view after that, by a draw of its own; see its `apply_to_view`.
        crops, table: see `LearnedViews`.

    Raises:
        InputError: for a p that is none, or views that g does not have.
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
        told = [*chosen] if isinstance(chosen, Sequence) and chosen != "all" else []
        self.chosen = tuple(range(number)) if chosen == "all" else tuple(told)
        if not self.chosen or not {*self.chosen} <= {*range(number)}:
            raise InputError(
                f"views.combine.views: expected all, or some of {[*range(number)]}, got {chosen}"
            )
        self.p, self.photometric, self.randaugment = p, photometric, randaugment

    def to_config(self) -> dict[str, Any]:
        """Return the arguments of the class; an evaluation changes no colours."""
        return {**super().to_config(), "p": self.p, "chosen": list(self.chosen)}

    def sample(self, n: int, generator: torch.Generator) -> CombinedParams:
        """Draw which samples g makes, and how their colours change afterwards."""
        learned = torch.rand(n, generator=generator) < self.p
        changes: tuple[ColorJitterParams, ...] = ()
        plans: tuple[RandAugmentParams, ...] = ()
        if self.photometric is not None:
            changes = tuple(self.photometric.sample(n, generator) for _ in self.view_channels)
        if self.randaugment is not None:
            plans = tuple(self.randaugment.sample(n, generator) for _ in self.view_channels)
        return CombinedParams(learned, changes, plans)

    def forward(self, *crops: Image, drawn: CombinedParams | None = None) -> Views:
        """Return M views; see `View`."""
        views = super().forward(*crops)
        if drawn is None:
            return views
        if not drawn.learned.all():
            learned = rearrange(to_device(drawn.learned, crops[0].device), "b -> b 1 1 1")
            each = crops if len(crops) > 1 else crops * len(views)
            views = tuple(
                torch.where(learned, view, self.raw(crop)[i])
                for i, (view, crop) in enumerate(zip(views, each, strict=True))
            )
        if self.photometric is not None:
            colored = zip(views, drawn.changes, strict=True)
            views = tuple(self.photometric.apply_to_view(view, told) for view, told in colored)
        if self.randaugment is not None:
            moved = zip(views, drawn.plans, strict=True)
            views = tuple(self.randaugment.apply_to_view(view, told) for view, told in moved)
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
        return f"combined-{self.generator.color}"
