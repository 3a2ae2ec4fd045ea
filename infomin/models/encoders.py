"""Encoders f_i: a backbone and a head onto the unit sphere or onto classes, per view or shared.

CMC has an encoder for each view. InstDis, MoCo, SimCLR and PIRL have one f for all of them, whose
gradient is the sum over the views that go through it. It embeds one view after another: statistics
of batch normalisation are those of each view by itself.
"""

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from infomin.core import presence
from infomin.core.errors import InputError, blamed_on, one_of, true_or_false
from infomin.core.presence import Here
from infomin.core.rng import seeded
from infomin.core.shapes import Image, Images, Seen
from infomin.models.backbones import BACKBONES, Backbone, feature_width
from infomin.models.heads import build_head


class Encoder(nn.Module):
    """A backbone and a head, `b c h w -> (b, dim)`.

    With `normalize` it is f_i, an embedding on the unit sphere (CMC); without, a classifier c_i.
    """

    def __init__(
        self,
        backbone: Backbone,
        in_channels: int,
        size: int,
        dim: int,
        normalize: bool = True,
        head: str = "linear",
    ) -> None:
        super().__init__()
        true_or_false("encoder.normalize", normalize)
        self.backbone, self.normalize, self.dim, self.kind = backbone, normalize, dim, head
        self.inputs = feature_width(backbone, in_channels, size)  # that the head reads
        self.head = build_head(head, self.inputs, dim)

    def forward(self, v: Images) -> Float[Tensor, "b dim"]:
        """Embed a view, or return its logits; float32."""
        z: Tensor = self.head(self.backbone(v)).float()
        return F.normalize(z, dim=1) if self.normalize else z


class Encoders(nn.Module):
    """The encoders of M views: `(v1, ..., vM) -> (z1, ..., zM)`.

    Arguments:
        encoders: one per view; or a single one.
        shared_by: M, of a single encoder that embeds all views; None is one per view.
    """

    def __init__(self, encoders: Sequence[Encoder], shared_by: int | None = None) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(encoders)
        self.shared, self.number = shared_by is not None, shared_by or len(encoders)

    def __len__(self) -> int:
        return self.number

    @property
    def each(self) -> list[Encoder]:
        """The encoder of every view."""
        encoders = [cast(Encoder, encoder) for encoder in self.encoders]
        return encoders * self.number if self.shared else encoders

    def forward(self, views: Sequence[Seen]) -> tuple[Float[Tensor, "_ dim"], ...]:
        """Embed every view with its encoder; an encoder that is given no image is not run."""
        return tuple(
            encoder(v) if len(v) else v.new_zeros(0, self.width, dtype=torch.float32)
            for encoder, v in zip(self.each, views, strict=True)
        )

    def only(self, which: Sequence[int]) -> "Encoders":
        """Return those of some of the views."""
        if self.shared:
            return Encoders(self.each[:1], len(which))
        return Encoders([self.each[i] for i in which])

    def features(
        self, views: Sequence[Image], tap: str | None = None, here: Here | None = None
    ) -> Float[Tensor, "b d"]:
        """Return the features of all encoders at a tap, side by side: what a probe reads.

        Those of a shared encoder are there once for views that are one and the same tensor, as
        whole images are at evaluation.

        Arguments:
            views: of all images.
            tap: of the backbones; None is the last.
            here: who is there; the features of views that are absent are zeros.
        """
        which = self._different(views)
        here = here if here is None else here[:, which]
        seen = presence.only([views[i] for i in which], here)
        backbones = self.backbones
        features = [backbones[i](v, tap).float() for i, v in zip(which, seen, strict=True)]
        return torch.cat(presence.put_back(features, here), dim=1)

    def maps(self, views: Sequence[Image], taps: Sequence[str]) -> list[Float[Tensor, "b d ..."]]:
        """Return the features of all encoders at several taps, side by side, before flattening."""
        backbones = self.backbones
        each = [backbones[i].maps(views[i], taps) for i in self._different(views)]
        return [torch.cat(same, dim=1).float() for same in zip(*each, strict=True)]

    def _different(self, views: Sequence[Tensor]) -> list[int]:
        """Return the views that tell something of their own, by number: all but repeated ones."""
        if len(views) != self.number:
            raise InputError(f"views: expected {self.number}, got {len(views)}")
        seen = {id(v): i for i, v in reversed([*enumerate(views)])}
        return sorted(seen.values()) if self.shared else [*range(self.number)]

    @property
    def width(self) -> int:
        """Numbers in an embedding."""
        return self.each[0].dim

    @property
    def backbones(self) -> list[Backbone]:
        """The backbone of every view."""
        return [encoder.backbone for encoder in self.each]

    @property
    def taps(self) -> tuple[str, ...]:
        """The taps of the backbones."""
        return self.backbones[0].taps

    def tap(self, name: str | None) -> str:
        """Return the name of a tap, the last one for None; see `Backbone.tap`."""
        return self.backbones[0].tap(name)


def build_encoders(
    name: str,
    view_channels: Sequence[int],
    size: int,
    dim: int = 128,
    seed: int = 0,
    normalize: bool = True,
    head: str = "linear",
    shared: bool = False,
    **options: object,
) -> Encoders:
    """Build one encoder per view, or one for all.

    Arguments:
        name: one of `BACKBONES`.
        view_channels: channels of each view.
        size: side of the input, in pixels.
        dim: of the embedding, or number of classes.
        seed: of the initial weights.
        normalize: embeddings on the unit sphere, or logits.
        head: see `build_head`.
        shared: one encoder for all views, which then need the same channels.
        options: of the backbone's class.

    Raises:
        InputError: for an unknown name or head, an input too small for the backbone, or an encoder
            shared by views of different channels.
    """
    one_of("encoder.name", name, BACKBONES)
    true_or_false("encoder.shared", shared)
    if shared and len({*view_channels}) > 1:
        raise InputError(
            "encoder.shared: expected views of the same number of channels, got "
            f"{', '.join(map(str, view_channels))}; set encoders=per_view "
            "graph=full, or views=whole"
        )
    encoders = []
    for i, channels in enumerate(view_channels[:1] if shared else view_channels):
        # "tower" is the first name of an encoder: another word would change all initial weights
        with seeded(seed, "tower", int(normalize), i), blamed_on(f"encoder {name}"):
            backbone = BACKBONES[name](channels, size=size, **options)
            encoders.append(Encoder(backbone, channels, size, dim, normalize, head))
    return Encoders(encoders, len(view_channels) if shared else None)
