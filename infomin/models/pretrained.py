"""A pretrained encoder and the views it was trained on, in one folder: all evaluation needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from infomin import generator
from infomin.core import artifact
from infomin.core.card import build_on_meta, card_errors, check_shapes
from infomin.core.channel_groups import partition
from infomin.core.errors import InputError, one_of
from infomin.generator import ViewGenerator
from infomin.models import Encoders, build_encoders
from infomin.views import (
    ChannelViews,
    ChosenViews,
    CombinedViews,
    FrequencyViews,
    LearnedViews,
    ModalityViews,
    PatchViews,
    View,
    WholeViews,
)
from infomin.views.modalities import MODALITIES

_BY_HAND: dict[str, type[View]] = {
    "raw": ChannelViews,
    "whole": WholeViews,
    "patches": PatchViews,
    "frequency": FrequencyViews,
    "modalities": ModalityViews,
}
"""Views without weights, by the kind that a card names."""


@dataclass(frozen=True)
class Pretrained:
    """Encoders and their views.

    Attributes:
        views: frozen; raw, whole, patches, frequency, modalities, learned or combined.
        encoders: one per view.
        encoder: the arguments of `build_encoders` without channels and seed: name, size, dim, ...
    """

    views: View
    encoders: Encoders
    encoder: dict[str, Any]

    @property
    def size(self) -> int:
        """Side of the images that the encoders take, in pixels."""
        return int(self.encoder["size"])

    @property
    def channel_names(self) -> tuple[str, ...] | None:
        """What the channels of its images have to be called; None where views ask for no names."""
        views = self.views
        return views.generator.channel_names if isinstance(views, LearnedViews) else None

    def only(self, which: Sequence[int] | None) -> "Pretrained":
        """Return some of the encoders, with their views; all for None.

        Raises:
            InputError: for an encoder that is not there.
        """
        if which is None:
            return self
        views = ChosenViews(self.views, which)
        return Pretrained(views, self.encoders.only(which), self.encoder)

    def save(self, folder: str | Path, training: Mapping[str, Any] | None = None) -> Path:
        """Save as a new folder: `model.safetensors` and `card.json`."""
        architecture = {"encoder": self.encoder, "views": _describe(self.views)}
        weights = _both(self.views, self.encoders).state_dict()
        return artifact.save(Path(folder), "encoder", architecture, weights, training or {})


def load_pretrained(folder: str | Path) -> Pretrained:
    """Load an encoder and its views, frozen and in evaluation mode; nothing is executed.

    Raises:
        InputError: when the folder is not an encoder, or its card and weights disagree.
    """
    card, weights = artifact.load(Path(folder), "encoder", _fits)
    with card_errors(folder):
        views = _build(card["architecture"]["views"])
        encoder = card["architecture"]["encoder"]
        encoders = build_encoders(view_channels=views.view_channels, **encoder)
        _both(views, encoders).load_state_dict(weights)
    views.eval().requires_grad_(False)
    encoders.eval().requires_grad_(False)
    return Pretrained(views, encoders, encoder)


def _fits(architecture: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
    """Compare a card with weights before anything is built: it can ask for any size."""
    views, parts = architecture["views"], _parts(weights)
    one_of("views.kind", views["kind"], (*_BY_HAND, "learned", "combined"))
    g = views.get("generator", views)
    channels = [len(group) for group in partition(g.get("groups"), g.get("channels", 3))]
    if views["kind"] in ("whole", "patches", "frequency"):
        channels = [g.get("channels", 3)] * views.get("number", 2)
    if views["kind"] == "modalities":
        channels = [MODALITIES[name] for name in views["names"]]
    if views["kind"] == "patches" and views["patch"] != architecture["encoder"]["size"]:
        raise InputError("the card asks for encoders of another size than its patches")
    with build_on_meta(parts["encoders"]):
        expected = build_encoders(view_channels=channels, **architecture["encoder"]).state_dict()
    check_shapes(expected, parts["encoders"])
    if "generator" in views:
        generator.validate_card(g, parts["generator"])


def _parts(weights: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Take the weights of encoders and generator apart."""
    parts: dict[str, dict[str, Tensor]] = {"encoders": {}, "generator": {}}
    for name, w in weights.items():
        part, rest = name.split(".", 1)
        parts[part][rest] = w
    return parts


def _both(views: View, encoders: Encoders) -> nn.ModuleDict:
    modules: dict[str, nn.Module] = {"encoders": encoders}
    if isinstance(views, LearnedViews):
        modules["generator"] = views.generator
    return nn.ModuleDict(modules)


def _describe(views: View) -> dict[str, Any]:
    crops = {"crops": "shared" if views.crops == 1 else "per_view"}
    if isinstance(views, CombinedViews):
        g = views.generator.architecture
        chosen = list(views.chosen)
        return crops | {"kind": "combined", "generator": g, "p": views.p, "chosen": chosen}
    if isinstance(views, LearnedViews):
        return crops | {"kind": "learned", "generator": views.generator.architecture}
    images = {"channels": views.channels, "value_range": list(views.value_range)}
    match views:
        case ChannelViews():
            groups = [list(group) for group in views.groups]
            return images | crops | {"kind": "raw", "color": views.color, "groups": groups}
        case WholeViews():
            number = len(views.view_channels)
            return images | crops | {"kind": "whole", "color": views.color, "number": number}
        case ModalityViews():
            told = {"names": list(views.names), "focal": views.focal, "smooth": views.smooth}
            return crops | told | {"kind": "modalities", "channels": views.channels}
        case FrequencyViews():
            return images | crops | {"kind": "frequency", "sigma": views.sigma}
        case PatchViews():
            return images | {"kind": "patches", "patch": views.patch, "distance": views.distance}
    raise InputError(f"views: {type(views).__name__} cannot be saved with an encoder")


def _build(card: Mapping[str, Any]) -> View:
    options = {name: value for name, value in card.items() if name != "kind"}
    if card["kind"] in _BY_HAND:
        return _BY_HAND[card["kind"]](**options)
    g, crops = ViewGenerator(**options.pop("generator")), options.pop("crops")
    names = ("p", "chosen") if card["kind"] == "combined" else ()
    given = {name: options.pop(name) for name in names}
    if options:
        raise InputError(f"views: expected nothing more of kind {card['kind']}, got {[*options]}")
    return CombinedViews(g, crops=crops, **given) if given else LearnedViews(g, crops)
