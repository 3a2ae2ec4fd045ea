"""Encoders f_i, one per view or one for all: a backbone and a head, onto a sphere or classes.

CMC has an encoder for each view. InstDis, MoCo, SimCLR and PIRL have one f for all of them, whose
gradient is the sum over the views that go through it. It embeds one view after another, so that
batch statistics are those of each view by itself.
"""

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from infomin.core.errors import InputError, one_of, option_errors, true_or_false
from infomin.core.rng import seeded
from infomin.core.shapes import Image, Images
from infomin.models.backbones import BACKBONES, Backbone, feature_width

HEADS = ("linear", "mlp", "mlp_bn", "expander")


def build_head(kind: str, width: int, dim: int) -> nn.Module:
    """Build a head, from the features of a backbone to an embedding.

        linear     one layer                                      (CMC, InstDis, MoCo v1)
        mlp        a hidden layer as wide as the features         (MoCo v2, SimCLR, InfoMin Aug)
        mlp_bn     a hidden layer of twice that, normalised       (BYOL: 2048-4096-256)
        expander   two hidden layers as wide as the embedding     (VICReg: 2048-8192-8192-8192)

    Arguments:
        kind: one of `HEADS`.
        width: of the features.
        dim: of the embedding.

    Raises:
        InputError: for an unknown kind.
    """
    one_of("encoder.head", kind, HEADS)
    if kind == "linear":
        return nn.Linear(width, dim)
    if kind == "mlp":
        return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, dim))
    if kind == "mlp_bn":
        return nn.Sequential(*_normalized(width, 2 * width), nn.Linear(2 * width, dim))
    return nn.Sequential(*_normalized(width, dim), *_normalized(dim, dim), nn.Linear(dim, dim))


def _normalized(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]


class Encoder(nn.Module):
    """A backbone and a head, `b c h w -> (b, dim)`.

    Arguments:
        in_channels, size: of the images, in pixels.
        dim: of the embedding, or number of classes.
        normalize: whether embeddings have length 1 (CMC); if not, they are the logits of c_i.
        head: see `build_head`.
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
        self.in_channels, self.size = in_channels, size
        self.inputs = feature_width(backbone, in_channels, size)  # of the head
        self.head = build_head(head, self.inputs, dim)

    def forward(self, v: Images) -> Float[Tensor, "b dim"]:
        """Return the embedding of a view, or its logits; float32."""
        z = self.project(v)
        return F.normalize(z, dim=1) if self.normalize else z

    def project(self, v: Images) -> Float[Tensor, "b dim"]:
        """Return the output of the head, of any length; float32."""
        return self.head(self.backbone(v)).float()


class Encoders(nn.Module):
    """The encoders of M views: `(v1, ..., vM) -> (z1, ..., zM)`; `encoders[i]` is that of view i.

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

    def __getitem__(self, view: int) -> Encoder:
        return cast(Encoder, self.encoders[0 if self.shared else view])

    @property
    def distinct(self) -> list[Encoder]:
        """The encoders without repetition: one per view, or one."""
        return [cast(Encoder, encoder) for encoder in self.encoders]

    @property
    def backbones(self) -> list[Backbone]:
        """The backbone of every view."""
        return [self[i].backbone for i in range(len(self))]

    @property
    def view_channels(self) -> list[int]:
        """Channels of every view."""
        return [self[i].in_channels for i in range(len(self))]

    @property
    def size(self) -> int:
        """Side of the views, in pixels."""
        return self[0].size

    @property
    def width(self) -> int:
        """Dimension of an embedding."""
        return self[0].dim

    @property
    def taps(self) -> tuple[str, ...]:
        """Names of the layers that can be read."""
        return self.backbones[0].taps

    def tap(self, name: str | None) -> str:
        """Return the name of a layer, the last one for None; see `Backbone.tap`."""
        return self.backbones[0].tap(name)

    def forward(self, views: Sequence[Image]) -> tuple[Float[Tensor, "b dim"], ...]:
        """Return the embedding of every view."""
        return tuple(self[i](v) for i, v in enumerate(views))

    def only(self, views: Sequence[int]) -> "Encoders":
        """Return the encoders of some of the views."""
        if self.shared:
            return Encoders(self.distinct, len(views))
        return Encoders([self[i] for i in views])

    def features(
        self,
        views: Sequence[Image],
        tap: str | None = None,
        view_mask: Bool[Tensor, "b m"] | None = None,
    ) -> Float[Tensor, "b d"]:
        """Return the features of all encoders at a layer, side by side, as probes read them.

        A shared encoder reads views that are the same tensor once, such as whole images.

        Arguments:
            views: of all images.
            tap: name of the layer; None is the last.
            view_mask: views that each image has; the features of the others are zeros.

        Raises:
            InputError: for another number of views than encoders, or an unknown layer.
        """
        features = []
        for i in self._different(views):
            of_view = self[i].backbone(views[i], tap).float()
            if view_mask is not None:
                of_view = of_view * view_mask[:, i : i + 1].to(of_view)
            features.append(of_view)
        return torch.cat(features, dim=1)

    def maps(self, views: Sequence[Image], taps: Sequence[str]) -> list[Float[Tensor, "b d ..."]]:
        """Return feature maps at several layers, the encoders side by side, before flattening."""
        each = [self[i].backbone.maps(views[i], taps) for i in self._different(views)]
        return [torch.cat(same, dim=1).float() for same in zip(*each, strict=True)]

    def _different(self, views: Sequence[Tensor]) -> list[int]:
        """Return the numbers of the views that a shared encoder has not read before."""
        if len(views) != self.number:
            raise InputError(f"views: expected {self.number}, got {len(views)}")
        first = {id(v): i for i, v in reversed([*enumerate(views)])}
        return sorted(first.values()) if self.shared else [*range(self.number)]


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
        name: of a registered backbone; see `BACKBONES`.
        view_channels: channels of each view.
        size: side of the views, in pixels.
        dim: of the embedding, or number of classes.
        seed: of the initial weights.
        normalize: embeddings on the unit sphere, or logits.
        head: see `build_head`.
        shared: one encoder for all views, which then need the same channels.
        options: of the class of the backbone.

    Raises:
        InputError: for an unknown name or head, an input too small for the backbone, or an encoder
            shared by views of different channels.
    """
    build_backbone = BACKBONES.find(name)
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
        with seeded(seed, "tower", int(normalize), i), option_errors(f"encoder {name}"):
            backbone = build_backbone(channels, size=size, **options)
            encoders.append(Encoder(backbone, channels, size, dim, normalize, head))
    return Encoders(encoders, len(view_channels) if shared else None)
