"""Pictures of the page as data URIs: images with their channels, and colour wheels."""

from typing import Any, NamedTuple

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from matplotlib.colors import hsv_to_rgb
from PIL import Image as Picture
from torch import Tensor

from infomin.core.page.pictures import embedded
from infomin.core.page.text import range_text
from infomin.core.shapes import Image
from infomin.export.page import charts
from infomin.export.page.channels import Channel, Measured
from infomin.export.sample import Sample
from infomin.generator import ViewGenerator

_MAX_IMAGES = 12
_SIZES = ((96, 80), (96, 40), (64, 25), (40, 10), (16, 5))  # longer side and quality of a tile
_MAX_BYTES = 550_000  # of all tiles
_WHEEL = 240  # pixels across
_STEPS = 65  # of the grey axis


class Row(NamedTuple):
    """A row of the gallery: one picture per image. `channel` is None for a row in colour."""

    name: str
    channel: Channel | None
    pictures: list[str]


class Gallery(NamedTuple):
    """Rows of the images in colour (when they have R, G, B), of their channels, of the views."""

    size: tuple[int, int]
    color: Row | None
    raw: list[Row]
    views: list[Row]


def gallery(generator: ViewGenerator, sample: Sample, measured: Measured) -> Gallery:
    """Draw images spread over the sample, as large and as sharp as the size limit allows."""
    n = len(sample.images)
    index = sorted({round(i * (n - 1) / (_MAX_IMAGES - 1)) for i in range(_MAX_IMAGES)})
    x, y = sample.images[index], torch.cat([v[index] for v in sample.views], 1)
    low, high = generator.value_range
    names = [channel.name for channel in measured.raw]
    colored = len(names) == 3 or names[:3] == ["R", "G", "B"]
    colors = ((x[:, :3] - low) / (high - low)).clamp(0, 1)
    for side, quality in _SIZES:
        color = [_webp(tile, quality, 2 * side) for tile in colors] if colored else []
        raw = _grey_rows(measured.raw, x, side, quality)
        views = _grey_rows(measured.views, y, side, quality)
        pictures = [*color, *(picture for row in (*raw, *views) for picture in row.pictures)]
        if sum(map(len, pictures)) <= _MAX_BYTES:
            break
    return Gallery(
        (x.shape[3], x.shape[2]), Row("image", None, color) if colored else None, raw, views
    )


@torch.no_grad()
def color(generator: ViewGenerator, measured: Measured) -> dict[str, Any]:
    """Draw the effect of g on colour.

    Returns:
        wheel: the colour wheel: hue around, saturation outwards, at full value.
        wheels: name, scale and picture of each view channel of the wheel.
        greys: chart of the view channels of greys from low to high.
    """
    rgb, inside = _wheel()
    low, high = generator.value_range
    y = generator.transform(low + (high - low) * rgb[None])[0]
    wheels = []
    for channel in measured.views:
        values = y[channel.index]
        black, white = values[inside].min().item(), values[inside].max().item()
        shade = (values - black) / max(white - black, 1e-6)
        picture = _webp(shade[None].clamp(0, 1), 80)
        wheels.append((channel.name, range_text(black, white), picture))
    level = torch.linspace(low, high, _STEPS)
    greys = generator.transform(level.expand(1, 3, 1, -1))[0, :, 0]
    curves = [(channel.name, greys[channel.index]) for channel in measured.views]
    return {"wheel": _webp(rgb, 90), "wheels": wheels, "greys": charts.grey_axis(level, curves)}


def _grey_rows(channels: list[Channel], images: Image, side: int, quality: int) -> list[Row]:
    return [
        Row(c.name, c, [_webp(tile, quality, side) for tile in c.grey(images[:, i, None])])
        for i, c in enumerate(channels)
    ]


def _wheel() -> tuple[Float[Tensor, "3 h w"], Bool[Tensor, "h w"]]:
    """Return a square of colours, and the mask of the disc that the style sheet cuts out."""
    place = (torch.arange(_WHEEL) + 0.5) * (2 / _WHEEL) - 1
    down, across = torch.meshgrid(place, place, indexing="ij")
    hue = torch.atan2(-down, across) / (2 * torch.pi) % 1
    radius = torch.hypot(down, across)
    hsv = torch.stack([hue, radius.clamp(max=1), torch.ones_like(hue)], -1)
    rgb = torch.from_numpy(hsv_to_rgb(hsv.numpy()))
    return rearrange(rgb, "h w c -> c h w").float(), radius <= 1


def _webp(pixels: Float[Tensor, "c h w"], quality: int, side: int | None = None) -> str:
    """Return 1 or 3 channels in [0, 1] as a data URI, at most `side` pixels a side."""
    levels = (rearrange(pixels, "c h w -> h w c") * 255).round().byte()
    return embedded(Picture.fromarray(levels.squeeze(-1).numpy()), quality, side)
