"""Pictures inside the page, as data URIs: images with their channels, and colour wheels."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from markupsafe import Markup
from matplotlib.colors import hsv_to_rgb
from PIL import Image as Picture
from torch import Tensor

from infomin.core.page.pictures import embedded
from infomin.core.page.text import span
from infomin.core.shapes import Image
from infomin.export.page import charts
from infomin.export.page.channels import Channel, Found
from infomin.export.sample import Sample
from infomin.generator import ViewGenerator

SHOWN = 12
_SIZES = ((96, 80), (96, 40), (64, 25), (40, 10), (16, 5))  # longer side and quality of a tile
_ROOM = 550_000  # bytes of all tiles
_WHEEL = 240  # pixels across
_STEPS = 65  # of the grey axis


class Tiles(NamedTuple):
    """A row of the gallery: one picture an image."""

    name: str
    channel: Channel | None
    pictures: list[str]


class Gallery(NamedTuple):
    """Rows of the images (as colours, where that can be), of their channels and of the views."""

    size: tuple[int, int]
    color: Tiles | None
    raw: list[Tiles]
    views: list[Tiles]


@dataclass(frozen=True)
class Color:
    """What g does to colour: the wheel, what becomes of it, and curves along the grey axis."""

    wheel: str
    wheels: list[tuple[str, str, str]]
    greys: Markup


def gallery(generator: ViewGenerator, sample: Sample, found: Found) -> Gallery:
    """Draw images spread over the sample, as large and as well as there is room for."""
    n = len(sample.images)
    chosen = sorted({round(i * (n - 1) / (SHOWN - 1)) for i in range(SHOWN)})
    x, y = sample.images[chosen], torch.cat([v[chosen] for v in sample.views], 1)
    low, high = generator.value_range
    colors = ((x[:, :3] - low) / (high - low)).clamp(0, 1)
    for side, quality in _SIZES:
        drawn = _gallery(x, y, colors, found, side, quality)
        rows = [*drawn.raw, *drawn.views, *([drawn.color] if drawn.color else [])]
        if sum(len(picture) for row in rows for picture in row.pictures) <= _ROOM:
            break
    return drawn


@torch.no_grad()
def color(generator: ViewGenerator, found: Found) -> Color:
    """Draw hue around, saturation outwards at full value, and the greys from low to high."""
    rgb, inside = _wheel()
    low, high = generator.value_range
    y = generator.transform(low + (high - low) * rgb[None])[0]
    wheels = []
    for channel in found.views:
        values = y[channel.output]
        black, white = values[inside].min().item(), values[inside].max().item()
        shade = (values - black) / max(white - black, 1e-6)
        drawn = _webp(shade[None].clamp(0, 1), 80)
        wheels.append((channel.name, span(black, white), drawn))
    level = torch.linspace(low, high, _STEPS)
    greys = generator.transform(level.expand(1, 3, 1, -1))[0, :, 0]
    lines = [
        (c.name, list(zip(level.tolist(), greys[c.output].tolist(), strict=True)))
        for c in found.views
    ]
    return Color(_webp(rgb, 90), wheels, charts.lines(lines))


def _gallery(x: Image, y: Image, colors: Image, found: Found, side: int, quality: int) -> Gallery:
    def rows(channels: list[Channel], images: Image) -> list[Tiles]:
        return [
            Tiles(c.name, c, [_webp(tile, quality, side) for tile in c.grey(images[:, i, None])])
            for i, c in enumerate(channels)
        ]

    image = None
    names = [channel.name for channel in found.raw]
    if len(names) == 3 or names[:3] == ["R", "G", "B"]:
        image = Tiles("image", None, [_webp(tile, quality, 2 * side) for tile in colors])
    return Gallery((x.shape[3], x.shape[2]), image, rows(found.raw, x), rows(found.views, y))


def _wheel() -> tuple[Float[Tensor, "3 h w"], Bool[Tensor, "h w"]]:
    """Return colours, and which pixels are on the wheel; the style sheet cuts it out."""
    place = (torch.arange(_WHEEL) + 0.5) * (2 / _WHEEL) - 1
    down, across = torch.meshgrid(place, place, indexing="ij")
    hue = torch.atan2(-down, across) / (2 * torch.pi) % 1
    radius = torch.hypot(down, across)
    hsv = torch.stack([hue, radius.clamp(max=1), torch.ones_like(hue)], -1)
    rgb = torch.from_numpy(hsv_to_rgb(hsv.numpy()))
    return rearrange(rgb, "h w c -> c h w").float(), radius <= 1


def _webp(pixels: Float[Tensor, "c h w"], quality: int, side: int | None = None) -> str:
    """Return one channel, as grey, or three in [0, 1] as a data URI."""
    levels = (rearrange(pixels, "c h w -> h w c") * 255).round().byte()
    return embedded(Picture.fromarray(levels.squeeze(-1).numpy()), quality, side)
