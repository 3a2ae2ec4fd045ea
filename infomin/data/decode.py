"""One image file -> `c h w` in its own type: pictures, 16-bit PNG, TIFF and NumPy arrays.

Pictures are Pillow's. A TIFF says itself which of its axes are rows, columns and channels; a `.npy`
file does not, so that there the channels are the one axis that can be them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from tifffile import PHOTOMETRIC, TiffFile, TiffPageSeries
from torch import Tensor

from infomin.core.errors import InputError, one_of
from infomin.data import values

_TIFF, _ARRAY = (".tif", ".tiff"), ".npy"
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", *_TIFF, _ARRAY)
LAYOUTS = {"chw": "CYX", "hwc": "YXC"}
_CHANNELS = ("", "S", "C", "Q", "I")  # as tifffile calls them: samples, channels, nameless, pages
_ALPHA = ((1,), (2,))  # TIFF's associated and unassociated, at the end of the extra samples


@dataclass(frozen=True)
class _Array:
    """Values, a letter an axis (Y rows, X columns, none where the file does not tell), alpha."""

    values: np.ndarray
    axes: str = ""
    alpha: bool = False


@dataclass(frozen=True)
class Decoder:
    """How image files become images of one kind.

    Attributes:
        size: side in pixels: shorter side resized (antialiased), centre cropped; None keeps
            images as they are.
        convert: turn grey images into three equal channels and drop alpha; refused otherwise.
        value_range: that all values lie within; None is the usual one of their type.
        layout: of `.npy` files, `chw` or `hwc`; None takes the one axis, in front or behind, of at
            most 16 for the channels.
        grey: take images of one channel as they are, beside others; refused otherwise.

    Raises:
        InputError: for another layout or a size below 1.
    """

    size: int | None = 32
    convert: bool = False
    value_range: Sequence[float] | None = None
    layout: str | None = None
    grey: bool = False

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise InputError(f"data.size: expected at least 1 pixel, got {self.size}")
        if self.layout is not None:
            one_of("data.layout", self.layout, LAYOUTS)

    def __call__(self, path: Path) -> Tensor | Exception:
        """Return an image, `c h w`, or what is wrong with its file.

        Raises:
            InputError: for a good file of another kind than was asked for.
        """
        try:
            found = _load(path)
        except Exception as error:  # of a damaged file decoders raise anything
            return error
        if isinstance(found, _Array):
            image = self._channels(found, path)
        else:
            image = self._picture(found, path)
        values.check(image, self.value_range, str(path), 1 if self.grey else values.CHANNELS[0])
        return values.fit(image[None], self.size)[0]

    def _picture(self, image: Image.Image, path: Path) -> Tensor:
        if image.mode != "RGB" and not (self.grey and image.mode == "L"):
            if image.mode.startswith(("I", "F")):
                raise InputError(f"{path}: has mode {image.mode}, expected 8 bits a channel")
            if not self.convert:
                raise InputError(
                    f"{path}: has mode {image.mode}, expected RGB; data.convert=true makes grey "
                    "three equal channels and drops alpha"
                )
            image = image.convert("RGB")
        if self.size is not None:
            image = ImageOps.fit(image, (self.size, self.size), Image.Resampling.BILINEAR)
        return torch.from_numpy(np.atleast_3d(np.array(image))).permute(2, 0, 1)

    def _channels(self, found: _Array, path: Path) -> Tensor:
        """Return `c h w`."""
        shape, axes = found.values.shape, found.axes or _axes(found.values.shape, self.layout)
        kept = [a for a, n in zip(axes, shape, strict=False) if n > 1 or a in "YX"]
        channels = [a for a in kept if a not in "YX"]
        if len(kept) - len(channels) != 2 or "".join(channels) not in _CHANNELS:
            told = f"axes {found.axes} of " if found.axes else ""
            raise InputError(
                f"{path}: has {told}{' x '.join(map(str, shape))}, expected rows, columns and one "
                "axis of channels" + ("" if axes else "; name it with data.layout=chw or hwc")
            )
        array = found.values.squeeze(tuple(i for i, a in enumerate(axes) if a not in kept))
        array = array.transpose([kept.index(a) for a in (*channels, "Y", "X")])
        image = values.as_tensor(array if channels else array[None], str(path))
        if found.alpha:
            if not self.convert:
                raise InputError(
                    f"{path}: has an alpha channel, expected none; data.convert=true drops it"
                )
            image = image[:-1]
        return image.expand(3, -1, -1) if self.convert and len(image) == 1 else image


def frame(path: Path) -> tuple[int, int] | None:
    """Return height and width of an image file by its header; None where that does not tell."""
    suffix = path.suffix.lower()
    try:
        if suffix == _ARRAY:
            shape = np.load(path, mmap_mode="r", allow_pickle=False).shape
            sides = dict(zip(_axes(shape, None), shape, strict=False))
        elif suffix in _TIFF:
            with TiffFile(path) as file:
                sides = dict(zip(file.series[0].axes, file.series[0].shape, strict=True))
        else:
            with Image.open(path) as image:
                sides = {"Y": image.height, "X": image.width}
    except Exception:  # of a damaged file readers raise anything; the decoder says so
        return None
    return (sides["Y"], sides["X"]) if {"X", "Y"} <= sides.keys() else None


def _load(path: Path) -> Image.Image | _Array:
    suffix = path.suffix.lower()
    if suffix == _ARRAY:
        return _Array(values.read_array(path))
    if suffix in _TIFF:
        with TiffFile(path) as file:
            series = file.series[0]
            alpha = series.keyframe.extrasamples[-1:] in _ALPHA
            if not _is_picture(series, alpha):
                return _Array(series.asarray(), series.axes, alpha)
    with Image.open(path) as opened:
        if opened.format == "PNG" and any("16" in str(tile.args) for tile in opened.tile):
            return _sixteen(path)
        opened.load()
        return opened


def _is_picture(series: TiffPageSeries, alpha: bool) -> bool:
    """Tell the 8-bit pictures among TIFFs, which are Pillow's, from stacks of channels."""
    page = series.keyframe
    usual = page.samplesperpixel in (1, 3) or alpha or page.photometric > PHOTOMETRIC.RGB
    return bool(len(series.pages) == 1 and page.bitspersample <= 8 and usual)


def _sixteen(path: Path) -> _Array:
    """Read a 16-bit PNG. Pillow keeps one byte of a colour: the first, or the second if told so."""
    planes = []
    for which in ("16B", "16L"):
        with Image.open(path) as image:
            if image.mode == "I;16":
                return _Array(np.array(image), "YX")
            if any(tile.args == "LA;16B" for tile in image.tile):
                raise ValueError("16-bit grey with alpha")
            rawmode = f"{image.mode};{which}"
            image.tile = [tile._replace(args=rawmode) for tile in image.tile]
            planes.append(np.array(image))
    high, low = planes
    return _Array(high.astype(np.uint16) << 8 | low, "YXS", image.mode == "RGBA")


def _axes(shape: tuple[int, ...], layout: str | None) -> str:
    """Name the axes of an array that does not tell; nothing where they cannot be known."""
    if len(shape) == 2:
        return "YX"
    if len(shape) != 3:
        return ""
    first, last = (n <= values.CHANNELS[1] for n in (shape[0], shape[2]))
    if layout is None and first == last:
        return ""
    return LAYOUTS[layout or ("chw" if first else "hwc")]
