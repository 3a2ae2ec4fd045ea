"""The view generator g maps an image to its learned views.

    value range and normalisation -> colour space -> flow -> channel groups

g is invertible and acts on each pixel alone (InfoMin, section 4.2). No information is lost, so no
view can become trivial by erasing the image. A fresh generator splits the channels of its colour
space; training moves it away from that split. On disk it is a folder of data, never code
(`infomin.core.artifact`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from infomin.color import linear_space, rescale_input
from infomin.core import artifact
from infomin.core.card import build_on_meta, card_errors, check_shapes
from infomin.core.channel_groups import join, partition, split
from infomin.core.errors import InputError, option_errors, true_or_false
from infomin.core.pixels import to_float
from infomin.core.precision import FixedPrecision, full_precision
from infomin.core.shapes import Image, Images, Pixels, Views
from infomin.core.value_range import UNIT, check_range, parse_channel_names, parse_range
from infomin.flows import (
    FLOW_DEFAULTS,
    Composition,
    build_flow,
    in_chunks,
    to_images,
    to_rows,
)
from infomin.shipped import generator_folder

OLD_LOG_SCALE_BOUND = 2.0
"""Default of version 0.1, whose cards may leave it out."""


@dataclass(frozen=True)
class Check:
    """Statistics of a generator on a batch of images.

    Attributes:
        round_trip_error: largest |g^-1(g(x)) - x|, in the units of the images.
        log_abs_det: mean log |det dg/dx| per pixel, in nats; 0 preserves volume.
        log_abs_det_std: its standard deviation over pixels, in nats.
        channel_mean, channel_std, channel_min, channel_max: one number per output channel of g.
        share_out_of_range: fraction of input values outside the value range.
    """

    round_trip_error: float
    log_abs_det: float
    log_abs_det_std: float
    channel_mean: tuple[float, ...]
    channel_std: tuple[float, ...]
    channel_min: tuple[float, ...]
    channel_max: tuple[float, ...]
    share_out_of_range: float


class ViewGenerator(FixedPrecision):
    """The map g from images `b c h w` to a tuple of M views, `b c_i h w` each.

    Images have any type of `core.pixels`, within `value_range`. g computes in float32, also under
    autocast and in a module that was converted to another type, and views are float32. Channels of
    a fresh generator lie within [-1, 1]; those of a trained one are not bounded, and nothing is
    clipped.

        g = infomin.load_generator("imagenette96-semi-rgb")
        v1, v2 = g(images)  # images within [0, 1], b 3 h w; views b 1 h w and b 2 h w

    Arguments:
        channels: number of image channels, C >= 2.
        groups: output channels of each view, a partition of 0..C-1; default [[0], [1, ..., C-1]].
        color: linear colour space that g starts from; `rgb` keeps the channels, for any C.
        normalize: scale each channel of that space from its range to [-1, 1].
        flow: arguments of `infomin.flows.build_flow`.
        value_range: lowest and highest value of the images.
        channel_names: one per image channel; default R, G, B for three, else channel_0, ...

    Attributes:
        view_channels: number of channels of each view, (c_1, ..., c_M).
        architecture: the arguments above as plain values; `ViewGenerator(**architecture)`.

    Raises:
        InputError: for an argument that does not fit the others.
    """

    def __init__(
        self,
        channels: int = 3,
        groups: Sequence[Sequence[int]] | None = None,
        color: str = "rgb",
        normalize: bool = True,
        flow: Mapping[str, Any] | None = None,
        value_range: Sequence[float] = (0.0, 1.0),
        channel_names: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        true_or_false("normalize", normalize)
        self.channels, self.color, self.normalize = channels, color, normalize
        self.groups = partition(groups, channels)
        self.flow_settings = {**FLOW_DEFAULTS, **(flow or {})}
        self.value_range = parse_range(value_range)
        self.channel_names = parse_channel_names(channel_names, channels)
        start = linear_space(color, channels, normalize, full_precision())
        self.start = rescale_input(start, self.value_range)
        with option_errors("flow"):
            layers = build_flow(channels, **self.flow_settings)
        self.flow: Composition = layers.to(full_precision())

    @property
    def takes_8_bit_colors(self) -> bool:
        """Whether images have 3 channels within [0, 1], as 8-bit photographs do."""
        return self.channels == 3 and self.value_range == UNIT

    @property
    def dtype(self) -> torch.dtype:
        """Type that g computes in."""
        return self.start.matrix.dtype

    @property
    def view_channels(self) -> tuple[int, ...]:
        """Number of channels of each view."""
        return tuple(len(group) for group in self.groups)

    def forward(self, x: Pixels) -> Views:
        """Return the M views of a batch of images.

        Arguments:
            x: images `b c h w` within the value range; uint8 means [0, 1] after division by 255.

        Raises:
            InputError: for images of another type or number of channels. In evaluation mode also
                for values outside the value range.
        """
        y = self.transform(x)
        return tuple(y[:, list(group)] for group in self.groups)

    def transform(self, x: Pixels) -> Images:
        """Return g(x), `b c h w`, before its channels are split into views.

        The value range is checked in evaluation mode, but not under `torch.compile` or
        `torch.export`: they cannot trace a branch on values.
        """
        return self._transform(self._in_range(x))

    def raw(self, x: Pixels) -> Images:
        """Return the output channels of a fresh generator, `b c h w`: the colour space alone."""
        x = self._in_range(x)
        return to_images(self.start(to_rows(x)), like=x)

    def inverse(self, views: Sequence[Image]) -> Images:
        """Return the images `b c h w` that have these views, in the units of the images.

        Arguments:
            views: M tensors `b c_i h w`, as `forward` returns them.

        Raises:
            InputError: for another number of views or channels.
        """
        if [v.ndim == 4 and v.shape[1] for v in views] != list(self.view_channels):
            raise InputError(
                f"views: expected {len(self.groups)} views, b c h w, of "
                f"{', '.join(map(str, self.view_channels))} channels, got "
                + ", ".join(" ".join(map(str, v.shape)) for v in views[:4])
            )
        y = join(views, self.groups).to(self.dtype)
        return to_images(self.start.inverse(self.flow.inverse(to_rows(y))), like=y)

    def log_abs_det_jacobian(self, x: Pixels) -> Float[Tensor, "b h w"]:
        """Return log |det dg/dx| of each pixel, `b h w`, in nats, colour space included."""
        x = self._floats(x)
        total = Composition([self.start, self.flow]).log_abs_det_jacobian(to_rows(x))
        return rearrange(total, "(b h w) -> b h w", b=len(x), h=x.shape[2], w=x.shape[3])

    @torch.no_grad()
    def check(self, images: Pixels) -> Check:
        """Measure round trip, volume, channel statistics and range on images `b c h w`.

        Values outside the value range are counted and raise no error.
        """
        images = self._floats(images)
        transformed = self._transform(images)
        back = self.inverse(split(transformed, self.groups))
        y = rearrange(transformed, "b c h w -> c (b h w)")
        volume = self.log_abs_det_jacobian(images)
        low, high = self.value_range
        return Check(
            round_trip_error=(back - images).abs().max().item(),
            log_abs_det=volume.mean().item(),
            log_abs_det_std=volume.std().item(),
            channel_mean=tuple(y.mean(1).tolist()),
            channel_std=tuple(y.std(1).tolist()),
            channel_min=tuple(y.amin(1).tolist()),
            channel_max=tuple(y.amax(1).tolist()),
            share_out_of_range=((images < low) | (images > high)).float().mean().item(),
        )

    @property
    def architecture(self) -> dict[str, Any]:
        """Keyword arguments that build this generator again, as plain JSON values."""
        return {
            "channels": self.channels,
            "groups": [list(group) for group in self.groups],
            "color": self.color,
            "normalize": self.normalize,
            "flow": self.flow_settings,
            "value_range": list(self.value_range),
            "channel_names": list(self.channel_names),
        }

    @classmethod
    def from_architecture(cls, architecture: Mapping[str, Any]) -> "ViewGenerator":
        """Build a generator, without its weights, from the architecture of a card."""
        flow = {"log_scale_bound": OLD_LOG_SCALE_BOUND, **architecture.get("flow", {})}
        return cls(**{**architecture, "flow": flow})

    def save(self, folder: str | Path, training: Mapping[str, Any] | None = None) -> Path:
        """Save as a new folder: `model.safetensors` and `card.json`.

        Arguments:
            folder: must not exist yet.
            training: facts for the card, plain JSON values: data, objective, seed, i_nce, ...

        Raises:
            InputError: when the folder exists or cannot be written, or weights are not finite.
        """
        return artifact.save(
            Path(folder), "generator", self.architecture, self.state_dict(), training or {}
        )

    def _transform(self, x: Images) -> Images:
        g = Composition([self.start, self.flow])
        differentiable = torch.is_grad_enabled() and any(
            t.requires_grad for t in (x, *self.parameters())
        )
        if differentiable or x.device.type != "cpu" or torch.compiler.is_compiling():
            return to_images(g(to_rows(x)), like=x)
        return to_images(in_chunks(g.frozen(), to_rows(x)), like=x)

    def _in_range(self, x: Pixels) -> Images:
        """Return images as floats; in evaluation mode, check their values."""
        x = self._floats(x)
        if not (self.training or torch.compiler.is_compiling()):
            check_range(x, self.value_range, "this generator")
        return x

    def _floats(self, x: Pixels) -> Images:
        """Return images in the type that g computes in; check their channels."""
        if not isinstance(x, Tensor) or x.dtype != self.dtype:  # another type has a rule
            x = to_float(x, self.value_range, "this generator", self.dtype)
        if x.ndim != 4 or x.shape[1] != self.channels:
            raise InputError(
                f"images: this generator takes b c h w with {self.channels} channels "
                f"({', '.join(self.channel_names)}), got {' '.join(map(str, x.shape))}"
            )
        return x


def load_generator(folder: str | Path, device: str | torch.device = "cpu") -> ViewGenerator:
    """Load a saved generator, frozen and in evaluation mode.

    Nothing in the folder is executed, so a stranger's folder is safe to load.

    Arguments:
        folder: a saved or exported generator, or a name of `infomin.list_generators`.
        device: device of the returned generator.

    Raises:
        InputError: when the folder is not a generator, or its card and weights disagree.
    """
    folder = generator_folder(folder)
    card, weights = artifact.load(folder, "generator", validate_card)
    with card_errors(folder):
        generator = ViewGenerator.from_architecture(card["architecture"])
        generator.load_state_dict(weights)
    return generator.to(device).eval().requires_grad_(False)


def validate_card(architecture: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
    """Check that an architecture fits weights, without memory for what it asks for.

    Raises:
        InputError: when names, shapes or types of weights differ.
    """
    flow = dict(architecture.get("flow", {}))
    with build_on_meta(weights), option_errors("flow"):
        expected = build_flow(architecture.get("channels", 3), **flow).state_dict()
    check_shapes({f"flow.{name}": w for name, w in expected.items()}, weights)
