"""Charts of the page as SVG: channels along the grey axis, I_NCE over the game, histograms.

matplotlib draws them. Colours become the variables of the style sheet, so that charts follow the
light or dark scheme of the reader.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib
import torch
from jaxtyping import Float
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from infomin.core.page.svg import STYLE, to_svg
from infomin.export.card_text import Curve, Estimate
from infomin.export.page.channels import Channel

Vector = Float[Tensor, " n"]

_BINS = 80
_SOFT, _RULE = "#000001", "#000002"
_LINES = ("#000003", "#000004", "#000005")
_VARIABLES = {_SOFT: "soft", _RULE: "rule"} | {c: f"line-{i}" for i, c in enumerate(_LINES, 1)}
"""Variable of the style sheet for each colour that charts are drawn in."""
_DASHES = ("solid", (0, (4.5, 1.5)), (0, (1.25, 1.25)))
_STYLE: dict[Any, Any] = {
    **STYLE,
    "font.size": 13,
    "axes.labelcolor": _SOFT,
    "axes.labelsize": 13,
    "grid.color": _RULE,
    "legend.frameon": False,
    "legend.labelcolor": _SOFT,
    "xtick.labelcolor": _SOFT,
    "ytick.labelcolor": _SOFT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    **{f"axes.spines.{side}": False for side in ("top", "right", "left", "bottom")},
}


def grey_axis(level: Vector, curves: Sequence[tuple[str, Vector]]) -> Markup:
    """Draw a curve for each channel over the value of a grey image."""
    with matplotlib.rc_context(_STYLE):
        figure, axis = _chart("value of the grey image", "value of the channel")
        for (name, values), color, dash in zip(curves, _LINES, _DASHES, strict=True):
            axis.plot(level, values, color=color, linestyle=dash, label=name)
        figure.legend(loc="outside upper left", ncols=3)
        return to_svg(figure, "Output channels along the grey axis", _VARIABLES)


def progress(curve: Curve, held_out: Estimate | None) -> Markup:
    """Draw I_NCE over the steps of the game, its cap, and the held-out value at the end."""
    with matplotlib.rc_context(_STYLE):
        figure, axis = _chart("step of the game", "I_NCE, nats")
        steps, values = zip(*curve.points, strict=True)
        marker = "o" if len(steps) == 1 else None
        axis.plot(steps, values, color=_LINES[0], marker=marker, label="training batches")
        if curve.cap:
            axis.axhline(curve.cap, color=_SOFT, linestyle="dashed", linewidth=1.5)
            text = f"cap log K = {curve.cap:.2f}"
            axis.text(
                1, curve.cap, text, color=_SOFT, ha="right", va="bottom",
                transform=axis.get_yaxis_transform(),
            )  # fmt: skip
        if held_out:
            x, bounds = steps[-1] + 0.03 * max(steps[-1], 1), (held_out.low, held_out.high)
            axis.vlines(x, *bounds, color=_LINES[1])
            axis.plot(x, held_out.value, "o", color=_LINES[1], label="held out")
        figure.legend(loc="outside upper left", ncols=2)
        axis.set_ylim(bottom=min(0.0, *values))
        return to_svg(figure, "I_NCE over the steps of the game", _VARIABLES)


def histogram(channel: Channel) -> Markup:
    """Draw how often each value of a channel occurs, above the grey that it is drawn in."""
    low, high = channel.values.min().item(), channel.values.max().item()
    high = max(high, low + 1e-6)
    counts = torch.histc(channel.values.float(), _BINS, low, high)
    edges = torch.linspace(low, high, _BINS + 1)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(320 / 72, 144 / 72), layout="constrained")
        axis, ramp = figure.subplots(2, sharex=True, height_ratios=[10, 1])
        axis.stairs(counts.numpy(), edges.numpy(), fill=True, color=_LINES[0])
        axis.set(xlim=(low, high), yticks=[])
        grey = channel.grey(edges)[None].numpy()
        ramp.imshow(grey, "gray", aspect="auto", vmin=0, vmax=1, extent=(low, high, 0, 1))
        ramp.set(yticks=[])
        ramp.locator_params(axis="x", nbins=5)
        label = f"Histogram of {channel.name}, from {low:.3g} to {high:.3g}"
        return to_svg(figure, label, _VARIABLES)


def _chart(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(460 / 72, 290 / 72), layout="constrained")
    axis = figure.subplots()
    axis.set(xlabel=x_label, ylabel=y_label)
    axis.grid(axis="y")
    axis.set_axisbelow(True)
    axis.locator_params(nbins=6)
    return figure, axis
