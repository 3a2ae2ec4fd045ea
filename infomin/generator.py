"""The view generator g: an image goes in, its learned views come out.

    value range and normalisation -> colour space -> flow -> channel groups

g is invertible and pixel-wise (InfoMin, section 4.2): nothing is lost, and no view can become
trivial by erasing the image. A fresh generator is exactly the raw channel split of its colour
space; training moves it away from there. On disk it is a folder of data, never code (`artifact`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from infomin.color import linear_space
from infomin.core import artifact
from infomin.core import card as claims
from infomin.core.channel_groups import join, partition, split
from infomin.core.errors import InputError, blamed_on, true_or_false
from infomin.core.shapes import Image, Images, Views
from infomin.core.value_range import UNIT, ValueRange, check_range, parse_channel_names, parse_range
from infomin.flows import Composition, FixedAffine, build_flow, in_chunks, to_images, to_rows
from infomin.shipped import located


@dataclass(frozen=True)
class Check:
    """What `ViewGenerator.check` found on a batch of images.

    Attributes:
        round_trip_error: largest |g^-1(g(x)) - x|, in the units of the images.
        log_abs_det: mean log |det dg/dx| per pixel, in nats; 0 preserves volume.
        log_abs_det_std: its standard deviation over pixels.
        channel_mean, channel_std, channel_min, channel_max: of every output channel.
        share_out_of_range: share of input values outside the declared value range.
    """

    round_trip_error: float
    log_abs_det: float
    log_abs_det_std: float
    channel_mean: tuple[float, ...]
    channel_std: tuple[float, ...]
    channel_min: tuple[float, ...]
    channel_max: tuple[float, ...]
    share_out_of_range: float


class ViewGenerator(nn.Module):
    """g: images `b c h w` -> M views, `b c_i h w` each, in float32.

    Arguments:
        channels: C >= 2 channels of the images.
        groups: which output channels make each view, a partition of 0..C-1; default {0 | rest}.
        color: linear colour space to start from, `rgb` for any C.
        normalize: scale each channel of that space from its range to [-1, 1].
        flow: arguments of `flows.build_flow`.
        value_range: lowest and highest value of the images, (0, 1) unless said otherwise.
        channel_names: of the images; default R, G, B for three, else channel_0, ...

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
        self.flow_settings = dict(flow or {})
        self.value_range = parse_range(value_range)
        self.channel_names = parse_channel_names(channel_names, channels)
        self.start = _from_range(linear_space(color, channels, normalize), self.value_range)
        with blamed_on("flow"):
            self.flow: Composition = build_flow(channels, **self.flow_settings)

    @property
    def takes_8_bit_colors(self) -> bool:
        """Whether 8-bit colour photographs are what it takes: 3 channels within [0, 1]."""
        return self.channels == 3 and self.value_range == UNIT

    @property
    def view_channels(self) -> tuple[int, ...]:
        """Number of channels of each view."""
        return tuple(len(group) for group in self.groups)

    def forward(self, x: Images) -> Views:
        """Return the views of a batch of images.

        Raises:
            InputError: for images that are not float, of another channel count or, in evaluation
                mode, with values outside the value range.
        """
        return split(self.transform(x), self.groups)

    def transform(self, x: Images) -> Images:
        """Return g(x), `b c h w`, before its channels are split into views.

        In evaluation mode the value range is enforced, but not while a compiler or an exporter
        looks on: neither can follow what depends on values.

        Raises:
            InputError: as `forward`.
        """
        self._enforces(x)
        return self._transform(x)

    def raw(self, x: Images) -> Images:
        """Return the channels that g starts from, `b c h w`: those of a fresh generator.

        Raises:
            InputError: as `forward`.
        """
        self._enforces(x)
        return to_images(self.start(to_rows(x)), like=x)

    def inverse(self, views: Sequence[Image]) -> Images:
        """Return the images whose views these are.

        Raises:
            InputError: for other views than this generator makes.
        """
        if [v.ndim == 4 and v.shape[1] for v in views] != list(self.view_channels):
            raise InputError(
                f"views: expected {len(self.groups)} views, b c h w, of "
                f"{', '.join(map(str, self.view_channels))} channels, got "
                + ", ".join(" ".join(map(str, v.shape)) for v in views[:4])
            )
        y = join(views, self.groups)
        return to_images(self.start.inverse(self.flow.inverse(to_rows(y))), like=y)

    def log_abs_det_jacobian(self, x: Images) -> Float[Tensor, "b h w"]:
        """Return log |det dg/dx| at every pixel, in nats, colour space included."""
        self._accepts(x)
        rows = to_rows(x)
        total = self.start.log_abs_det_jacobian(rows)
        total = total + self.flow.log_abs_det_jacobian(self.start(rows))
        return rearrange(total, "(b h w) -> b h w", b=len(x), h=x.shape[2], w=x.shape[3])

    @torch.no_grad()
    def check(self, images: Images) -> Check:
        """Measure round trip, volume, channel statistics and range on real images."""
        self._accepts(images)
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
        """What it takes to build this generator again: the keyword arguments of its class."""
        return {
            "channels": self.channels,
            "groups": [list(group) for group in self.groups],
            "color": self.color,
            "normalize": self.normalize,
            "flow": self.flow_settings,
            "value_range": list(self.value_range),
            "channel_names": list(self.channel_names),
        }

    def save(self, folder: str | Path, training: Mapping[str, Any] | None = None) -> Path:
        """Save as a new folder: `model.safetensors` and `card.json`.

        Arguments:
            folder: must not exist yet.
            training: what the card tells of the training: data, objective, seed, steps, i_nce, ...
        """
        return artifact.save(
            Path(folder), "generator", self.architecture, self.state_dict(), training or {}
        )

    def _transform(self, x: Images) -> Images:
        whole = Composition([self.start, self.flow])
        differentiable = torch.is_grad_enabled() and any(
            t.requires_grad for t in (x, *self.parameters())
        )
        if differentiable or x.device.type != "cpu" or torch.compiler.is_compiling():
            return to_images(whole(to_rows(x)), like=x)
        return to_images(in_chunks(whole.frozen(), to_rows(x)), like=x)

    def _enforces(self, x: Tensor) -> None:
        self._accepts(x)
        if not (self.training or torch.compiler.is_compiling()):
            check_range(x, self.value_range, "this generator")

    def _accepts(self, x: Tensor) -> None:
        if not isinstance(x, Tensor) or not x.is_floating_point():
            got = x.dtype if isinstance(x, Tensor) else type(x).__name__
            scale = "; divide 8-bit images by 255" if self.value_range == UNIT else ""
            raise InputError(
                f"images: expected a float tensor within {list(self.value_range)}, got {got}{scale}"
            )
        if x.ndim != 4 or x.shape[1] != self.channels:
            raise InputError(
                f"images: this generator takes b c h w with {self.channels} channels "
                f"({', '.join(self.channel_names)}), got {' '.join(map(str, x.shape))}"
            )


def load_generator(folder: str | Path, device: str | torch.device = "cpu") -> ViewGenerator:
    """Load a saved generator, frozen and in evaluation mode. Nothing in the folder is executed.

    Arguments:
        folder: of the generator, or the name of one that is shipped (`infomin.list_generators`).
        device: where to put it.

    Raises:
        InputError: when the folder is not a generator, or its card and weights disagree.
    """
    folder = located(folder)
    card, weights = artifact.load(folder, "generator", fits)
    with claims.fitting(folder):
        generator = ViewGenerator(**card["architecture"])
        generator.load_state_dict(weights)
    return generator.to(device).eval().requires_grad_(False)


def fits(architecture: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
    """Compare a card with weights before anything is built: it can ask for any size.

    Raises:
        InputError: when they differ.
    """
    flow = dict(architecture.get("flow", {}))
    with claims.sketched(weights), blamed_on("flow"):
        expected = build_flow(architecture.get("channels", 3), **flow).state_dict()
    claims.same_shapes({f"flow.{name}": w for name, w in expected.items()}, weights)


def _from_range(space: FixedAffine, value_range: ValueRange) -> FixedAffine:
    """Let a map that starts from [0, 1] start from another value range."""
    low, high = value_range
    if (low, high) == UNIT:
        return space
    matrix = space.matrix / (high - low)
    offset = space.offset - low * matrix.sum(-1)
    single = torch.tensor([low, high]).float().diff()
    if not (matrix.isfinite().all() and offset.isfinite().all() and 0 < single < torch.inf):
        raise InputError(
            f"value_range: expected numbers that float32 tells apart, got {low}, {high}"
        )
    return FixedAffine(matrix, offset)
