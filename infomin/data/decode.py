"""Decoding of image files to `c h w` in their type: pictures, 16-bit PNG, TIFF and NumPy arrays.

Pillow reads pictures. A TIFF names its axes: rows, columns and channels. A `.npy` file does not, so
its channels are the only axis that is short enough.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Num, UInt8
from PIL import Image, ImageOps
from tifffile import PHOTOMETRIC, TiffFile, TiffPageSeries
from torch import Tensor

from infomin.core.errors import InputError, one_of
from infomin.data import values

_TIFF, _ARRAY = (".tif", ".tiff"), ".npy"
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", *_TIFF, _ARRAY)
_CONVERT = "; data.convert=true makes grey three equal channels and drops alpha"
LAYOUTS = {"chw": "CYX", "hwc": "YXC"}
_CHANNELS = ("", "S", "C", "Q", "I")  # tifffile's samples, channels, unnamed axis, pages
_ALPHA = ((1,), (2,))  # TIFF's associated and unassociated alpha, the last extra sample


class UnreadableFile(InputError):
    """An image file that is damaged."""


@dataclass(frozen=True)
class _Array:
    """Values of an image, one letter for each axis (Y rows, X columns; empty if unknown), alpha."""

    values: np.ndarray
    axes: str = ""
    alpha: bool = False


@dataclass(frozen=True)
class Decoder:
    """A decoder that makes images of one kind out of files.

    Attributes:
        size, convert, value_range, layout: see `image_folder`.
        grey: accept images of one channel; refused otherwise.

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

    def __call__(self, path: Path) -> Num[Tensor, "c h w"]:
        """Return the image of a file.

        Raises:
            UnreadableFile: for a damaged file.
            InputError: for a good file of a kind that the options exclude.
        """
        try:
            content = _load(path)
        except Exception as error:  # decoders raise anything for a damaged file
            raise UnreadableFile(f"{path}: cannot be read ({error})") from None
        if isinstance(content, _Array):
            return self.finish(self._channels(content, path), str(path))
        return self.finish(self.picture(content, str(path)), str(path))

    def check(self, image: Num[Tensor, "c h w"], name: str) -> None:
        """Check channels and values of an image."""
        fewest = 1 if self.grey else values.CHANNELS[0]
        values.check_values(image, self.value_range, name, fewest)

    def finish(self, image: Num[Tensor, "c h w"], name: str) -> Num[Tensor, "c _ _"]:
        """Check channels and values of an image, and resize it."""
        self.check(image, name)
        return values.resize_to_square(image[None], self.size)[0]

    def picture(self, image: Image.Image, name: str) -> UInt8[Tensor, "c h w"]:
        """Return a picture of 8 bits, resized; refuse a mode that the options exclude."""
        if image.mode != "RGB" and not (self.grey and image.mode == "L"):
            if image.mode.startswith(("I", "F")):
                raise InputError(f"{name}: has mode {image.mode}, expected 8 bits per channel")
            if not self.convert:
                raise InputError(
                    f"{name}: has mode {image.mode}, expected RGB"
                    + (" or L; convert the image" if self.grey else _CONVERT)
                )
            image = image.convert("RGB")
        if self.size is not None:
            image = ImageOps.fit(image, (self.size, self.size), Image.Resampling.BILINEAR)
        return torch.from_numpy(np.atleast_3d(np.array(image))).permute(2, 0, 1)

    def _channels(self, array: _Array, path: Path) -> Num[Tensor, "c h w"]:
        shape, axes = array.values.shape, array.axes or _axes(array.values.shape, self.layout)
        kept = [a for a, n in zip(axes, shape, strict=False) if n > 1 or a in "YX"]
        channels = [a for a in kept if a not in "YX"]
        if len(kept) - len(channels) != 2 or "".join(channels) not in _CHANNELS:
            named = f"axes {array.axes} of " if array.axes else ""
            raise InputError(
                f"{path}: has {named}{values.by(shape)}, expected rows, columns and one axis of "
                "channels" + ("" if axes else "; name it with data.layout=chw or hwc")
            )
        pixels = array.values.squeeze(tuple(i for i, a in enumerate(axes) if a not in kept))
        pixels = pixels.transpose([kept.index(a) for a in (*channels, "Y", "X")])
        image = values.as_tensor(pixels if channels else pixels[None], str(path))
        if array.alpha:
            if not self.convert:
                raise InputError(
                    f"{path}: has an alpha channel, expected none; data.convert=true drops it"
                )
            image = image[:-1]
        return image.expand(3, -1, -1) if self.convert and len(image) == 1 else image


def height_and_width(path: Path) -> tuple[int, int] | None:
    """Return height and width in the header of an image file; None where they are unknown."""
    suffix = path.suffix.lower()
    try:
        if suffix == _ARRAY:
            shape = np.load(path, mmap_mode="r", allow_pickle=False).shape
            axes = _axes(shape, None)
        elif suffix in _TIFF:
            with TiffFile(path) as file:
                axes, shape = file.series[0].axes, file.series[0].shape
        else:
            with Image.open(path) as image:
                return image.height, image.width
        return shape[axes.index("Y")], shape[axes.index("X")]
    except Exception:  # readers raise anything for a damaged file; the decoder will name it
        return None


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
    """Return whether a TIFF is an 8-bit picture for Pillow, not a stack of channels."""
    page = series.keyframe
    known = page.samplesperpixel in (1, 3) or alpha or page.photometric > PHOTOMETRIC.RGB
    return bool(len(series.pages) == 1 and page.bitspersample <= 8 and known)


def _sixteen(path: Path) -> _Array:
    """Read a 16-bit PNG. Pillow keeps one byte of a value: the first for 16B, else the second."""
    planes = []
    for byte_order in ("16B", "16L"):
        with Image.open(path) as image:
            if image.mode == "I;16":
                return _Array(np.array(image), "YX")
            if any(tile.args == "LA;16B" for tile in image.tile):
                raise ValueError("16-bit grey with alpha")
            rawmode = f"{image.mode};{byte_order}"
            image.tile = [tile._replace(args=rawmode) for tile in image.tile]
            planes.append(np.array(image))
    high, low = planes
    return _Array(high.astype(np.uint16) << 8 | low, "YXS", image.mode == "RGBA")


def _axes(shape: tuple[int, ...], layout: str | None) -> str:
    """Return a letter for each axis of an array by its shape; nothing where that is ambiguous."""
    if len(shape) == 2:
        return "YX"
    if len(shape) != 3:
        return ""
    first, last = (n <= values.CHANNELS[1] for n in (shape[0], shape[2]))
    if layout is None and first == last:
        return ""
    return LAYOUTS[layout or ("chw" if first else "hwc")]
