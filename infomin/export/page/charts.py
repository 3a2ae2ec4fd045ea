"""Charts of a generator: its channels along the grey axis, their histograms, its game."""

from collections.abc import Sequence

import torch
from markupsafe import Markup

from infomin.core.page.charts import (
    LINE,
    Frame,
    Points,
    apart,
    below,
    grid,
    padded,
    path,
    svg,
    ticks,
)
from infomin.export.page.channels import Channel
from infomin.export.told import Curve, Estimate

_BINS = 80


def lines(series: Sequence[tuple[str, Points]]) -> Markup:
    """Draw a curve for each channel over the grey axis, named at its right end."""
    xs, ys = zip(*(point for _, points in series for point in points), strict=True)
    frame = Frame((min(xs), max(xs)), padded(ys), 58, 12, 330, 244)
    ends = apart([frame.down(points[-1][1]) for _, points in series])
    parts = [grid(frame, "value of the grey image", "value of the channel")]
    for i, ((name, points), end) in enumerate(zip(series, ends, strict=True), 1):
        parts.append(
            Markup(
                '<path class="line line-{0}" d="{1}"/>'
                '<text class="line-{0}" x="{2}" y="{3:.1f}">{4}</text>'
            ).format(i, path(frame, points), frame.right + 8, end + 4, name)
        )
    return svg(460, 290, "Output channels along the grey axis", parts)


def progress(curve: Curve, held_out: Estimate | None) -> Markup:
    """Draw I_NCE over the steps of the game, its cap, and the held-out value at the end."""
    top = max(y for _, y in curve.points)
    top = max([top, *([curve.cap] if curve.cap else []), *([held_out.high] if held_out else [])])
    steps = [x for x, _ in curve.points]
    lowest = min(0.0, *(y for _, y in curve.points))
    frame = Frame((0, max(*steps, 1)), (lowest, max(top, 1e-3) * 1.06), 58, 12, 372, 244)
    parts = [grid(frame, "step of the game", "I_NCE, nats")]
    if curve.cap:
        y = frame.down(curve.cap)
        parts.append(
            Markup(
                '<path class="cap" d="M{:.1f} {:.1f}H{:.1f}"/>'
                '<text x="{:.1f}" y="{:.1f}" text-anchor="end">cap log K = {:.2f}</text>'
            ).format(frame.left, y, frame.right, frame.right, y + LINE, curve.cap)
        )
    parts.append(Markup('<path class="line line-1" d="{}"/>').format(path(frame, curve.points)))
    if held_out:
        x = frame.right + 16
        low, value, high = (frame.down(v) for v in (held_out.low, held_out.value, held_out.high))
        parts.append(
            Markup(
                '<path class="line line-2" d="M{0} {1:.1f}V{2:.1f}"/>'
                '<circle class="dot-2" cx="{0}" cy="{3:.1f}" r="4"/>'
                '<text class="line-2" x="{4}" y="{5:.1f}">held out</text>'
            ).format(x, low, high, value, x + 8, value + 4)
        )
    return svg(460, 290, "I_NCE over the steps of the game", parts)


def histogram(channel: Channel) -> Markup:
    """Draw how often values of a channel are met, and below which grey they are drawn in."""
    low, high = channel.values.min().item(), channel.values.max().item()
    high = max(high, low + 1e-6)
    counts = torch.histc(channel.values.float(), _BINS, low, high)
    frame = Frame((low, high), (0, counts.max().item()), 12, 8, 308, 108)
    steps = [frame.left + i * (frame.right - frame.left) / _BINS for i in range(_BINS + 1)]
    outline = [f"M{frame.left:.1f} {frame.bottom}"]
    for count, x in zip(counts.tolist(), steps[1:], strict=True):
        outline.append(f"V{frame.down(count):.1f}H{x:.1f}")
    parts = [
        Markup('<path class="bars" d="{}V{}Z"/>').format("".join(outline), frame.bottom),
        Markup(
            '<linearGradient id="{0}" gradientUnits="userSpaceOnUse" x1="{1:.1f}" x2="{2:.1f}">'
            '<stop stop-color="#000"/><stop offset="1" stop-color="#fff"/></linearGradient>'
            '<rect class="ramp" fill="url(#{0})" x="{3}" y="112" width="{4}" height="10"/>'
        ).format(
            f"ramp-{channel.output}",
            frame.across(channel.black),
            frame.across(channel.white),
            frame.left,
            frame.right - frame.left,
        ),
        *(below(frame, tick, 138) for tick in ticks(low, high, 5)),
    ]
    title = f"Histogram of {channel.name}, from {low:.3g} to {high:.3g}"
    return svg(320, 144, title, parts)
