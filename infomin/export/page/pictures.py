"""Pictures of the page as data URIs: images with their channels, and colour wheels."""

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
from infomin.core.page.text import range_text
from infomin.core.shapes import Image
from infomin.export.page import charts
from infomin.export.page.channels import Channel, Measured
from infomin.export.sample import Sample
from infomin.generator import ViewGenerator

MAX_IMAGES = 12
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


@dataclass(frozen=True)
class Color:
    """The effect of g on colour: a colour wheel, its views, and curves along the grey axis.

    Attributes:
        wheel: the colour wheel.
        wheels: name, scale and picture of each view channel of the wheel.
        greys: chart of the view channels of grey images.
    """

    wheel: str
    wheels: list[tuple[str, str, str]]
    greys: Markup


def gallery(generator: ViewGenerator, sample: Sample, measured: Measured) -> Gallery:
    """Draw images spread over the sample, as large and as sharp as the size limit allows."""
    n = len(sample.images)
    index = sorted({round(i * (n - 1) / (MAX_IMAGES - 1)) for i in range(MAX_IMAGES)})
    x, y = sample.images[index], torch.cat([v[index] for v in sample.views], 1)
    low, high = generator.value_range
    colors = ((x[:, :3] - low) / (high - low)).clamp(0, 1)
    for side, quality in _SIZES:
        result = _gallery(x, y, colors, measured, side, quality)
        rows = [*result.raw, *result.views, *([result.color] if result.color else [])]
        if sum(len(picture) for row in rows for picture in row.pictures) <= _MAX_BYTES:
            break
    return result


@torch.no_grad()
def color(generator: ViewGenerator, measured: Measured) -> Color:
    """Draw the colour wheel, its views, and the views of greys from low to high.

    Hue runs around the wheel, saturation outwards, at full value.
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
    return Color(_webp(rgb, 90), wheels, charts.grey_axis(level, curves))


def _gallery(
    x: Image, y: Image, colors: Image, measured: Measured, side: int, quality: int
) -> Gallery:
    def rows(channels: list[Channel], images: Image) -> list[Row]:
        return [
            Row(c.name, c, [_webp(tile, quality, side) for tile in c.grey(images[:, i, None])])
            for i, c in enumerate(channels)
        ]

    image = None
    names = [channel.name for channel in measured.raw]
    if len(names) == 3 or names[:3] == ["R", "G", "B"]:
        image = Row("image", None, [_webp(tile, quality, 2 * side) for tile in colors])
    size = (x.shape[3], x.shape[2])
    return Gallery(size, image, rows(measured.raw, x), rows(measured.views, y))


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
