"""Pictures of views and of the colour transformation of a generator."""

import colorsys
from collections.abc import Sequence
from typing import Any

import matplotlib
import torch
from einops import rearrange
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from torch import Tensor

from infomin.core.channel_groups import view_names
from infomin.core.errors import InputError
from infomin.core.value_range import RGB, UNIT, parse_channel_names
from infomin.generator import ViewGenerator
from infomin.views import View

# dark red, green and blue that colour-blind people can distinguish (Okabe and Ito)
_INKS = dict(zip(RGB, ("#d55e00", "#009e73", "#0072b2"), strict=True))

Strip = tuple[str, Tensor]
"""A name and the images of one row within [0, 1], `b 1 h w` in grey or `b 3 h w` in colour."""

# a dollar sign in a name from a card or a file starts no formula
_as_is = matplotlib.rc_context({"text.parse_math": False})


@_as_is
@torch.no_grad()
def views_picture(
    view: View,
    images: Float[Tensor, "b c h w"],
    title: str = "",
    channel_names: Sequence[str] | None = None,
    params: Any = None,
    false_color: Sequence[int] | None = None,
) -> Figure:
    """Draw images in the first rows and every channel of their views below.

    Channels R, G, B make one row in colour, scaled from the value range. Images of other channels
    make one row in false colour. Every other channel is a row in grey, scaled from its 1st to its
    99th percentile. A view that keeps the colours of the image, such as a patch, is one row in
    colour.

    Arguments:
        view: makes the views.
        images: within its value range.
        title: above the picture.
        channel_names: names of the channels of the images.
        params: parameters from `view.sample`; None shows the views of evaluation.
        false_color: three channels, shown as red, green and blue where the first are not R, G, B;
            see `false_colored`.
    """
    rows = image_rows(images, channel_names, view.value_range, false_color)
    views = view(images, params=params)
    if parse_channel_names(channel_names, images.shape[1]) == RGB and view.in_color:
        rows += [(f"view {i}", ((v + 1) / 2).clamp(0, 1)) for i, v in enumerate(views, 1)]
    else:
        channels = torch.cat(list(views), 1).split(1, dim=1)
        rows += zip(view_names(view.view_channels), map(scaled, channels), strict=True)
    return strips_picture(rows, title)


@_as_is
def strips_picture(rows: Sequence[Strip], title: str = "") -> Figure:
    """Draw the images of each row side by side, with the name of the row on the left."""
    size = (1.1 * len(rows[0][1]) + 1.4, 1.12 * len(rows) + 0.3)
    layout = ConstrainedLayoutEngine(compress=True, h_pad=0.01, w_pad=0.05, hspace=0.01)
    figure = Figure(figsize=size, dpi=110, layout=layout)
    axes = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for axis, (name, row) in zip(axes, rows, strict=True):
        padded = torch.nn.functional.pad(row, (0, 1), value=1.0)  # a white line between images
        strip = rearrange(padded, "b c h w -> h (b w) c").cpu().numpy()
        axis.imshow(strip, cmap="gray", vmin=0, vmax=1)  # takes one channel as grey
        axis.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
        axis.set(xticks=[], yticks=[], frame_on=False)
    axes[0].set_title(title, fontsize=9, loc="left")
    return figure


def image_rows(
    images: Float[Tensor, "b c h w"],
    channel_names: Sequence[str] | None,
    value_range: Sequence[float],
    false_color: Sequence[int] | None = None,
) -> list[Strip]:
    """Return the rows of the images themselves; see `views_picture`."""
    names, (low, high) = parse_channel_names(channel_names, images.shape[1]), value_range
    if names[:3] != RGB and len(names) >= 3:
        shown = tuple(false_color or (range(3) if len(names) == 3 else ()))
        below = ", ".join(names[i] for i in shown) or "3 components"
        return [(f"false colour:\n{below}", false_colored(images, shown))]
    colored = names[:3] == RGB
    rows = [("images", ((images[:, :3] - low) / (high - low)).clamp(0, 1))] if colored else []
    return rows + [(names[i], scaled(images[:, i : i + 1])) for i in range(3 * colored, len(names))]


def parse_false_color(channels: Any, names: Sequence[str]) -> tuple[int, ...] | None:
    """Return three channels as indices; None for the default.

    Raises:
        InputError: for anything but three names or indices of channels.
    """
    if channels is None:
        return None
    given = [channels] if isinstance(channels, int | str) else [*channels]
    index = [names.index(c) if c in names else c for c in given]
    if len(index) != 3 or not all(type(i) is int and 0 <= i < len(names) for i in index):
        raise InputError(
            f"false_color: expected three of the channels {', '.join(names)}, or of their indices "
            f"0 to {len(names) - 1}, such as [2,1,0], got {given}"
        )
    return tuple(map(int, index))


def false_colored(
    images: Float[Tensor, "b c h w"], channels: Sequence[int] = ()
) -> Float[Tensor, "b 3 h w"]:
    """Return images in false colour, each channel scaled to [0, 1].

    Arguments:
        images: in any units.
        channels: shown as red, green and blue; without them, the first three principal components
            of the standardised channels are.
    """
    if channels:
        shown = images[:, list(channels)]
    else:
        x = rearrange(images, "b c h w -> (b h w) c").double()
        x = (x - x.mean(0)) / x.std(0).clamp(min=1e-12)
        axes = torch.linalg.eigh(x.mT @ x / len(x)).eigenvectors[:, -3:].flip(1)
        axes = axes * (axes.sum(0, keepdim=True) >= 0).double().mul(2).sub(1)  # bright is bright
        shown = rearrange(x @ axes, "(b h w) c -> b c h w", b=len(images), h=images.shape[2])
    return torch.cat([scaled(channel) for channel in shown.float().split(1, dim=1)], 1)


@_as_is
@torch.no_grad()
def color_picture(generator: ViewGenerator, images: Float[Tensor, "b c h w"]) -> Figure:
    """Draw how g transforms colour: its best linear approximation on images, and hue charts.

    On the left, the weight of each input channel in each output channel, by least squares, for
    values in units of the value range; R^2
    measures how linear g is. On the right, for R, G, B, the output over all hues and brightnesses.
    """
    coefficients, r2 = linear_part(generator, images)
    channels = generator.channels
    colored = generator.channel_names == RGB
    columns = 2 if colored else 1
    figure = Figure(figsize=(4.2 * columns, 1.5 * channels + 0.4), dpi=110)
    axes = figure.subplots(channels, columns, squeeze=False)
    inks = [_INKS.get(name, "#444444") for name in generator.channel_names]
    limit = 1.1 * coefficients.abs().max().item()
    low, high = generator.value_range
    units = "" if (low, high) == UNIT else f" of values / {high - low:g}"
    charts = generator.transform(low + (high - low) * _hue_chart()[None])[0] if colored else None
    for i in range(channels):
        view = next(k for k, group in enumerate(generator.groups) if i in group)
        axis = axes[i, 0]
        axis.barh(range(channels), coefficients[i].tolist(), color=inks)
        axis.set_yticks(range(channels), generator.channel_names, fontsize=8)
        axis.set_xlim(-limit, limit)
        axis.invert_yaxis()
        axis.axvline(0, color="black", linewidth=0.6)
        axis.tick_params(axis="x", labelsize=7)
        axis.set_title(
            f"view {view + 1}: output {i + 1} ≈ these weights{units}, R² {r2[i]:.3f}",
            fontsize=8,
            loc="left",
        )
        if charts is not None:
            axes[i, 1].imshow(charts[i].numpy(), cmap="gray", aspect="auto")
            axes[i, 1].set_title("over hue (across) and brightness (down)", fontsize=8, loc="left")
            axes[i, 1].set(xticks=[], yticks=[], frame_on=False)
    figure.tight_layout(pad=0.5)
    return figure


@torch.no_grad()
def linear_part(
    generator: ViewGenerator, images: Float[Tensor, "b c h w"]
) -> tuple[Float[Tensor, "c c"], list[float]]:
    """Return the best linear approximation of g on images, a row per output, and R^2 per row.

    Weights are for values in units of the value range.
    """
    low, high = generator.value_range
    x = rearrange(images, "b c h w -> (b h w) c").double() / (high - low)
    y = rearrange(generator.transform(images), "b c h w -> (b h w) c").double()
    x, y = x - x.mean(0), y - y.mean(0)
    solution = torch.linalg.lstsq(x, y).solution
    residual = (y - x @ solution).square().sum(0) / y.square().sum(0)
    return solution.mT.float(), (1 - residual).tolist()


def _hue_chart(hues: int = 72, levels: int = 24) -> Float[Tensor, "3 levels hues"]:
    """Return hues from left to right, and brightness from white at the top to black below."""
    colors = [
        [colorsys.hls_to_rgb(h / hues, 1 - (k + 0.5) / levels, 1.0) for h in range(hues)]
        for k in range(levels)
    ]
    return rearrange(torch.tensor(colors), "k h c -> c k h")


def scaled(channel: Tensor, like: Tensor | None = None) -> Tensor:
    """Scale a channel of images to [0, 1], from its 1st to its 99th percentile.

    Arguments:
        channel: of all images.
        like: another channel for the percentiles; None is the channel itself.
    """
    reference = channel if like is None else like
    low, high = reference.quantile(0.01), reference.quantile(0.99)
    return ((channel - low) / (high - low + 1e-9)).clamp(0, 1)
