"""A pretrained encoder as one module: images with all their channels in, features out.

It holds the views (with g, where they are learned) and the encoders of all views. On disk it is a
folder of data, never code (`core.artifact`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from infomin import generator
from infomin.augment import resize
from infomin.core import artifact
from infomin.core.card import build_on_meta, card_errors, check_shapes
from infomin.core.errors import InputError
from infomin.core.pixels import to_float
from infomin.core.shapes import Pixels
from infomin.core.value_range import ValueRange
from infomin.models.encoders import Encoders, build_encoders
from infomin.views import ChosenViews, LearnedViews, View, build_view, describe_view

_OLD_NAMES = (("towers.towers.", "encoders.encoders."), ("generator.", "views.generator."))
"""First and present names of weights: folders saved by version 0.1 have the first."""


class PretrainedEncoder(nn.Module):
    """Views and their encoders: images `b c h w` -> features `b d`, float32; gradients pass.

    `.half()`, `.double()` and `.to(dtype)` convert the encoders; a generator stays in float32.

    Arguments:
        views: frozen.
        options: of `build_encoders`, without channels and seed: `name`, `size`, `dim`, ...
    """

    def __init__(self, views: View, encoders: Encoders, options: Mapping[str, Any]) -> None:
        super().__init__()
        self.views, self.encoders, self.options = views, encoders, dict(options)

    @property
    def size(self) -> int:
        """Side of the images that the encoders take, in pixels."""
        return int(self.options["size"])

    @property
    def channels(self) -> int:
        """C of the images."""
        return self.views.channels

    @property
    def value_range(self) -> ValueRange:
        """Lowest and highest value of the images."""
        return self.views.value_range

    @property
    def channel_names(self) -> tuple[str, ...] | None:
        """Names that the channels of the images must have; None where views accept any."""
        views = self.views
        return views.generator.channel_names if isinstance(views, LearnedViews) else None

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers that can be read."""
        return self.encoders.taps

    def forward(self, images: Pixels, layer: str | None = None) -> Float[Tensor, "b d"]:
        """Return the features of all views side by side.

        Arguments:
            images: of the channels and the value range that the encoder was trained on, and of any
                type of `core.pixels`; uint8 means [0, 1] after division by 255. They are cropped to
                their central square and resized.
            layer: of the backbones; None is the last.

        Raises:
            InputError: for another type or number of channels, or an unknown layer.
        """
        dtype = next(self.encoders.parameters()).dtype
        exact = torch.promote_types(dtype, torch.float32)
        images = to_float(images, self.value_range, "this encoder", exact)
        if images.ndim != 4 or images.shape[1] != self.channels:
            raise InputError(
                f"images: expected b c h w with {self.channels} channels, got "
                f"{' '.join(map(str, images.shape))}"
            )
        views = self.views.split(resize(images, self.size))
        converted = {id(view): view.to(dtype) for view in views}  # the same tensor stays the same
        return self.encoders.features([converted[id(view)] for view in views], layer)

    def only(self, views: Sequence[int] | None) -> "PretrainedEncoder":
        """Return the encoders of some views; all for None.

        Raises:
            InputError: for the number of a view that is not there.
        """
        if views is None:
            return self
        chosen = ChosenViews(self.views, views)
        return PretrainedEncoder(chosen, self.encoders.only(views), self.options)

    def save(self, folder: str | Path, training: Mapping[str, Any] | None = None) -> Path:
        """Save as a new folder: `model.safetensors` and `card.json`.

        Arguments:
            folder: must not exist yet.
            training: facts of the training for the card; plain JSON values.
        """
        architecture = {"encoder": self.options, "views": describe_view(self.views)}
        weights = self.state_dict()
        return artifact.save(Path(folder), "encoder", architecture, weights, training or {})


def load_encoder(folder: str | Path, device: str | torch.device = "cpu") -> PretrainedEncoder:
    """Load a saved encoder, frozen and in evaluation mode. Nothing in the folder is executed.

    Raises:
        InputError: when the folder is not an encoder, or its card and weights disagree.
    """
    card, weights = artifact.load(Path(folder), "encoder", _check_card)
    architecture = card["architecture"]
    with card_errors(folder):
        views = build_view(architecture["views"])
        encoders = build_encoders(view_channels=views.view_channels, **architecture["encoder"])
        encoder = PretrainedEncoder(views, encoders, architecture["encoder"])
        encoder.load_state_dict(_present_names(weights))
    return encoder.to(device).eval().requires_grad_(False)


def _check_card(architecture: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
    """Compare a card with the shapes of the weights before anything of any size is built."""
    config, weights = dict(architecture["views"]), _present_names(weights)
    if "generator" in config:
        generator.validate_card(config["generator"], _below("views.generator.", weights))
    views = build_view(config)
    if views.kind == "patches" and config["patch"] != architecture["encoder"]["size"]:
        raise InputError("the card asks for encoders of another size than its patches")
    with build_on_meta(_below("encoders.", weights)):
        encoders = build_encoders(view_channels=views.view_channels, **architecture["encoder"])
    expected = {f"views.{name}": w for name, w in views.state_dict().items()}
    expected |= {f"encoders.{name}": w for name, w in encoders.state_dict().items()}
    check_shapes(expected, weights)


def _present_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    renamed = {}
    for name, weight in weights.items():
        for old, new in _OLD_NAMES:
            if name.startswith(old):
                name = new + name.removeprefix(old)
        if name in renamed:
            raise InputError(f"there are two weights of the name {name}")
        renamed[name] = weight
    return renamed


def _below(prefix: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): w for n, w in weights.items() if n.startswith(prefix)}
