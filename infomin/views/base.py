"""The contract of a view: images `b c h w` -> a tuple of M views.

All views of an image can come from one crop, or each from a crop of its own. The second is the
default, as the authors appear to have done: views need not share what two crops do not share
either.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from torch import nn

from infomin.color import convert
from infomin.core.errors import InputError, one_of, option_errors
from infomin.core.registry import Registry
from infomin.core.shapes import Image, Images, Views
from infomin.core.value_range import UNIT, ValueRange, parse_range

CROPS = ("per_view", "shared")
ViewParams = Any
"""Sampled parameters of a batch: None, or `core.batching.Params`."""


class ImageInfo(NamedTuple):
    """Facts of images that views depend on.

    Attributes:
        channels: C.
        value_range: lowest and highest value.
        groups: channels of every sensor, where images come from several; else empty.
    """

    channels: int
    value_range: ValueRange = UNIT
    groups: tuple[tuple[int, ...], ...] = ()


class View(nn.Module):
    """Maps images `b c h w` to M views `b c_i h w`. Subclasses define `split`.

    Arguments:
        view_channels: number of channels of each view.
        crops: `per_view` (one crop of the image for each view) or `shared` (one for all).
        value_range: lowest and highest value of the images.
        channels: C of the images; by default every channel goes into one view.
        sources: channels of the images that each view is made of; by default all.

    Raises:
        InputError: for another word in `crops`, or a wrong range.

    Attributes:
        kind: name in the registry; empty for views that cannot be saved.
        in_color: whether the channels of every view are those of the images, scaled to [-1, 1].
        same_pixels: whether the views of one crop show the same pixels.
        pixelwise: whether a pixel of a view depends on one pixel of the image only.
    """

    kind: ClassVar[str] = ""
    in_color = False
    same_pixels = True
    pixelwise = False

    def __init__(
        self,
        view_channels: tuple[int, ...],
        crops: str = "per_view",
        value_range: Sequence[float] = UNIT,
        channels: int | None = None,
        sources: Sequence[Sequence[int]] | None = None,
    ) -> None:
        super().__init__()
        one_of("views.crops", crops, CROPS)
        self.view_channels, self.value_range = view_channels, parse_range(value_range)
        self.channels = sum(view_channels) if channels is None else channels
        every = (tuple(range(self.channels)),) * len(view_channels)
        self.sources = every if sources is None else tuple(map(tuple, sources))
        self.crops = 1 if crops == "shared" else len(view_channels)

    @classmethod
    def from_options(cls, options: Mapping[str, Any], images: ImageInfo) -> "View":
        """Build views from the options of `conf/views/` and facts of the images."""
        return cls(**options, channels=images.channels, value_range=images.value_range)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "View":
        """Build views from what `to_config` returned."""
        return cls(**config)

    def to_config(self) -> dict[str, Any]:
        """Return plain values to build these views again; weights are in the state dict."""
        crops = "shared" if self.crops == 1 else "per_view"
        return {"channels": self.channels, "value_range": list(self.value_range), "crops": crops}

    def sample(self, n: int, generator: torch.Generator) -> ViewParams:
        """Sample the random parameters of a batch of n in training; None by default."""
        return None

    def check_size(self, height: int, width: int) -> None:
        """Check that crops of this height and width are large enough; by default all are."""

    def forward(self, *crops: Image, params: ViewParams = None) -> Views:
        """Return M views, of one crop or of M crops, view i from crop i.

        Arguments:
            crops: the images.
            params: parameters from `sample`; None makes the views of an evaluation.

        Raises:
            InputError: for another number of crops.
        """
        if len(crops) == 1:
            return self.split(crops[0])
        if len(crops) != len(self.view_channels):
            raise InputError(
                f"crops: expected 1 or {len(self.view_channels)}, one per view, got {len(crops)}"
            )
        return tuple(self.one(crop, i) for i, crop in enumerate(crops))

    def unit(self, x: Images) -> Images:
        """Return images scaled from their value range to [0, 1]."""
        low, high = self.value_range
        return x if self.value_range == UNIT else (x - low) / (high - low)

    def normalized(self, x: Images, color: str = "rgb") -> Images:
        """Return images in a colour space, each channel scaled from its range to [-1, 1]."""
        unit = self.unit(x)
        return 2 * unit - 1 if color == "rgb" else convert(unit, color, normalize=True)

    def one(self, x: Images, i: int) -> Image:
        """Return view i of a crop; subclasses override it where that is cheaper than `split`."""
        return self.split(x)[i]

    def split(self, x: Images) -> Views:
        """Return all views of one crop."""
        raise NotImplementedError

    def __str__(self) -> str:
        """Return a short name for runs and tables; subclasses add what tells them apart."""
        return self.kind or type(self).__name__


class ChosenViews(View):
    """Some of the views of others, for evaluation.

    Arguments:
        views: all of them.
        which: numbers, 0 the first.

    Raises:
        InputError: for none, or a number that is there twice or that no view has.
    """

    def __init__(self, views: View, which: Sequence[int]) -> None:
        known = range(len(views.view_channels))
        chosen = list(which) if isinstance(which, Sequence) else []
        if not chosen or len({*chosen}) < len(chosen) or not {*chosen} <= {*known}:
            raise InputError(
                f"only_views: expected some of {', '.join(map(str, known))}, each once, got {which}"
            )
        channels = tuple(views.view_channels[i] for i in chosen)
        sources = [views.sources[i] for i in chosen]
        super().__init__(channels, "shared", views.value_range, views.channels, sources)
        self.views, self.which = views, chosen

    def split(self, x: Images) -> Views:
        """Return the chosen views of one crop."""
        every = self.views.split(x)
        return tuple(every[i] for i in self.which)

    def __str__(self) -> str:
        """Return a short name for runs and tables."""
        return f"{self.views}-view-{'+'.join(str(i + 1) for i in self.which)}"


VIEWS: Registry[type[View]] = Registry("views.kind")
"""Views by kind; `@register_view("raw")` above a class adds one."""


def register_view(kind: str) -> Any:
    """Return a decorator that registers a class of views under its kind."""

    def register(cls: type[View]) -> type[View]:
        cls.kind = kind
        return VIEWS.register(kind)(cls)

    return register


def build_view(config: Mapping[str, Any]) -> View:
    """Build views from `kind` and what `to_config` of that class returned.

    Raises:
        InputError: for an unknown kind or option.
    """
    options = dict(config)
    with option_errors("views"):
        views = VIEWS.find(options.pop("kind")).from_config(options)
    known = views.to_config()
    if unknown := [name for name in options if name not in known]:
        raise InputError(
            f"views: expected {', '.join(known)} of kind {views.kind}, got {', '.join(unknown)}"
        )
    return views


def describe_view(views: View) -> dict[str, Any]:
    """Return `kind` and configuration of views, as `build_view` reads them.

    Raises:
        InputError: for views that are not registered, which cannot be saved.
    """
    if VIEWS.get(views.kind) is not type(views):
        raise InputError(
            f"views: {type(views).__name__} cannot be saved with an encoder; register the "
            "class with infomin.views.register_view"
        )
    return {"kind": views.kind, **views.to_config()}
