"""Towers f_i: one per view, a backbone and a linear head onto the unit sphere, or onto classes."""

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from infomin import presence
from infomin.encoders.backbones import BACKBONES, Backbone, feature_width
from infomin.errors import blamed_on, one_of, true_or_false
from infomin.presence import Here
from infomin.rng import seeded
from infomin.shapes import Image, Images, Seen


class Tower(nn.Module):
    """A backbone and a linear head, `b c h w -> (b, dim)`.

    With `normalize` it is f_i, an embedding on the unit sphere (CMC); without, a classifier c_i.
    """

    def __init__(
        self, backbone: Backbone, in_channels: int, size: int, dim: int, normalize: bool = True
    ) -> None:
        super().__init__()
        true_or_false("encoder.normalize", normalize)
        self.backbone, self.normalize = backbone, normalize
        self.head = nn.Linear(feature_width(backbone, in_channels, size), dim)

    def forward(self, v: Images) -> Float[Tensor, "b dim"]:
        """Embed a view, or return its logits; float32."""
        z: Tensor = self.head(self.backbone(v)).float()
        return F.normalize(z, dim=1) if self.normalize else z


class Towers(nn.Module):
    """One tower per view: `(v1, ..., vM) -> (z1, ..., zM)`."""

    def __init__(self, towers: Sequence[Tower]) -> None:
        super().__init__()
        self.towers = nn.ModuleList(towers)

    def __len__(self) -> int:
        return len(self.towers)

    def forward(self, views: Sequence[Seen]) -> tuple[Float[Tensor, "_ dim"], ...]:
        """Embed every view with its own tower; a tower that is given no image is not run."""
        return tuple(
            tower(v) if len(v) else v.new_zeros(0, self.width, dtype=torch.float32)
            for tower, v in zip(self.towers, views, strict=True)
        )

    def only(self, which: Sequence[int]) -> "Towers":
        """Return some of them."""
        return Towers([cast(Tower, self.towers[i]) for i in which])

    def features(
        self, views: Sequence[Image], tap: str | None = None, here: Here | None = None
    ) -> Float[Tensor, "b d"]:
        """Return the features of all towers at a tap, side by side: what a probe reads.

        Arguments:
            views: of all images.
            tap: of the backbones; None is the last.
            here: who is there; the features of views that are absent are zeros.
        """
        seen = zip(self.backbones, presence.only(views, here), strict=True)
        features = [b(v, tap).float() for b, v in seen]
        return torch.cat(presence.put_back(features, here), dim=1)

    def maps(self, views: Sequence[Image], taps: Sequence[str]) -> list[Float[Tensor, "b d ..."]]:
        """Return the features of all towers at several taps, side by side, before flattening."""
        each = [b.maps(v, taps) for b, v in zip(self.backbones, views, strict=True)]
        return [torch.cat(same, dim=1).float() for same in zip(*each, strict=True)]

    @property
    def width(self) -> int:
        """Numbers in an embedding."""
        return int(cast(Tower, self.towers[0]).head.out_features)

    @property
    def backbones(self) -> list[Backbone]:
        """The backbones, one per view."""
        return [cast(Tower, tower).backbone for tower in self.towers]

    @property
    def taps(self) -> tuple[str, ...]:
        """The taps of the backbones."""
        return self.backbones[0].taps

    def tap(self, name: str | None) -> str:
        """Return the name of a tap, the last one for None; see `Backbone.tap`."""
        return self.backbones[0].tap(name)


def build_towers(
    name: str,
    view_channels: Sequence[int],
    size: int,
    dim: int = 128,
    seed: int = 0,
    normalize: bool = True,
    **options: object,
) -> Towers:
    """Build one tower per view.

    Arguments:
        name: one of `BACKBONES`.
        view_channels: channels of each view.
        size: side of the input, in pixels.
        dim: of the embedding, or number of classes.
        seed: of the initial weights.
        normalize: embeddings on the unit sphere, or logits.
        options: of the backbone's class.

    Raises:
        InputError: for an unknown name, or an input too small for the backbone.
    """
    one_of("encoder.name", name, BACKBONES)
    towers = []
    for i, channels in enumerate(view_channels):
        with seeded(seed, "tower", int(normalize), i), blamed_on(f"encoder {name}"):
            backbone = BACKBONES[name](channels, size=size, **options)
            towers.append(Tower(backbone, channels, size, dim, normalize))
    return Towers(towers)
