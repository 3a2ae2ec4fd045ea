"""Rules by which image files of all formats become `c h w` in their type.

`Decoder.image` is the table of rules. The readers in `raster` state what a file declares; the same
rule then holds for JPEG, PNG, WebP, GIF, TIFF and `.npy`:

1. Axes: rows, columns and one axis of channels. Axes without a name are told apart by their length,
   or by `data.layout`.
2. Several pictures in one file are refused; `data.convert=true` takes the first.
3. Palettes are applied. Other color spaces than grey and RGB, such as CMYK, are refused;
   `data.convert=true` makes them RGB.
4. Every sample is a channel, alpha too. `data.convert=true` drops channels that are declared as
   alpha, and makes grey three equal channels.
5. Values that are declared as no data, NaN and infinity are refused; `data.fill=VALUE` replaces
   them.
6. The orientation tag is applied.
7. Number of channels and value range are checked.
8. Where white is zero, values are inverted within the value range.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from jaxtyping import Num, UInt8
from PIL import Image, ImageOps
from torch import Tensor

from infomin.core.errors import InputError, UnreadableFile, one_of
from infomin.core.value_range import ValueRange
from infomin.data import values
from infomin.data.raster import File, Raster, header, raster_of, read_raster, turned
from infomin.data.value_span import ValueSpan, check_range

LAYOUTS = {"chw": "CYX", "hwc": "YXC"}
_NAMED, _UNNAMED = "SC", "QI"  # tifffile's samples and channels; axes without a name, pages


class ImageFacts(TypedDict):
    """Facts of the images of a data set; see `DataSet`."""

    value_range: ValueRange
    advice: tuple[str, ...]
    resized_from: tuple[int, int] | None


@dataclass(frozen=True)
class Decoder:
    """A decoder that makes images of one kind out of files.

    Attributes:
        size, convert, value_range, layout, fill: see `image_folder`.
        grey: accept images of one channel; refused otherwise.
        view: name of the view whose options these are, for messages; None without views.
        span: lowest and highest values so far, while no value range is declared.
        sizes: width and height of the images that were resized so far.
        alpha: channels of the images so far that are declared as alpha and kept.

    Raises:
        InputError: for another layout, a size below 1, or a fill that is no finite number.
    """

    size: int | None = 32
    convert: bool = False
    value_range: Sequence[float] | None = None
    layout: str | None = None
    grey: bool = False
    fill: float | None = None
    view: str | None = None
    span: ValueSpan = field(default_factory=ValueSpan, compare=False)
    sizes: set[tuple[int, int]] = field(default_factory=set, compare=False)
    alpha: set[int] = field(default_factory=set, compare=False)

    def __post_init__(self) -> None:
        if self.size is not None and self.size < 1:
            raise InputError(f"data.size: expected at least 1 pixel, got {self.size}")
        if self.layout is not None:
            one_of("data.layout", self.layout, LAYOUTS)
        if self.fill is not None:
            values.check_fill(self.fill)

    def __call__(self, path: File) -> Num[Tensor, "c _ _"]:
        """Return the image of a file, resized.

        Raises:
            UnreadableFile: for a damaged file.
            InputError: for a good file of a kind that the options exclude.
        """
        try:
            raster = read_raster(path)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        except MemoryError:
            raise UnreadableFile(
                f"{path}: cannot be read (it does not fit into the memory of this machine; cut it "
                "into tiles, or make it smaller)"
            ) from None
        except Exception as error:  # decoders raise anything for a damaged file
            raise UnreadableFile(f"{path}: cannot be read ({error})") from None
        return self.image(raster, str(path))

    def image(self, raster: Raster, name: str) -> Num[Tensor, "c _ _"]:
        """Return the image of a raster by the rules of this module, resized.

        Raises:
            InputError: for something that the options exclude; begins with `name`.
        """
        raster = self._resized_picture(raster)
        pixels, missing = self._channels_first(raster, name)
        if not self.convert and raster.frames > 1:
            raise InputError(
                f"{name}: has {raster.frames} pictures, expected one; save them as files of their "
                f"own, or {self.setting('convert', 'true')} takes the first"
            )
        if not self.convert and raster.color:
            raise InputError(
                f"{name}: has mode {raster.color}, expected RGB or grey; "
                f"{self.setting('convert', 'true')} makes it RGB"
            )
        colors = [i for i in range(len(pixels)) if i not in raster.alpha]
        if self.convert and len(colors) < len(pixels):
            pixels, missing = pixels[colors], None if missing is None else missing[colors]
            colors = [*range(len(pixels))]
        else:
            self.alpha.update(raster.alpha)
        if missing is not None and missing.any():
            pixels = values.fill_missing(pixels, missing, self.fill, name, self.setting)
        image = values.as_tensor(turned(pixels, raster.orientation), name, self.fill)
        if self.convert and len(image) == 1:
            image, colors = image.expand(3, -1, -1), [0, 1, 2]
        self.check(image, name)
        if raster.white_is_zero:
            image = values.inverted(image, colors, self.value_range)
        return self.resized(image, as_picture=raster.picture and len(image) in (1, 3))

    def picture(self, image: Image.Image, name: str) -> Num[Tensor, "c _ _"]:
        """Return the image of a picture of Pillow; see `image`."""
        try:
            raster = raster_of(image)
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
        return self.image(raster, name)

    def finish(self, image: Num[Tensor, "c h w"], name: str) -> Num[Tensor, "c _ _"]:
        """Check channels and values of an image, and resize it."""
        self.check(image, name)
        return self.resized(image)

    def check(self, image: Num[Tensor, "c h w"], name: str) -> None:
        """Check channels and values of an image; measure them where no range is declared."""
        fewest = 1 if self.grey else values.CHANNELS[0]
        values.check_channels(image, name, fewest, self.setting)
        values.check_finite(image, name, self.setting)
        if image.dtype == torch.uint8:
            values.resolve_range(self.value_range, image.dtype)
        elif self.value_range is None:
            self.span.add(image, name, self.setting)
        else:
            check_range(image, self.value_range, name, self.setting)

    def facts(self, dtype: torch.dtype) -> ImageFacts:
        """Return facts of all images that were read, as arguments of `DataSet`.

        Raises:
            InputError: for undeclared values outside the range of their type; proposes a range.
        """
        return {
            "value_range": values.resolve_range(self.value_range, dtype),
            "advice": self.advice(),
            "resized_from": max(self.sizes, default=None),
        }

    def advice(self) -> tuple[str, ...]:
        """Return options that would suit the images better that were read, one line each.

        Raises:
            InputError: for undeclared values outside the range of their type; proposes a range.
        """
        proposal = self.span.settle(self.setting)
        advice = [proposal] if proposal else []
        if self.alpha:
            numbers = ", ".join(str(i + 1) for i in sorted(self.alpha))
            drops = f"{self.setting('convert', 'true')} drops it"
            advice.append(f"channel {numbers} is declared as alpha and kept; {drops}")
        return tuple(advice)

    def _resized_picture(self, raster: Raster) -> Raster:
        """Return an upright picture without alpha resized: as `image` does last, and sooner."""
        shape, size = raster.values.shape, self.size
        usual = raster.picture and not raster.alpha and raster.orientation == 1
        if not usual or raster.missing is not None or size is None or shape[:2] == (size, size):
            return raster
        self.sizes.add((shape[1], shape[0]))
        return replace(raster, values=_fit(raster.values, size))

    def resized(self, image: Num[Tensor, "c h w"], as_picture: bool = False) -> Tensor:
        """Resize an image to a square `c size size`, the way of Pillow or of `augment.resize`."""
        height, width = image.shape[1:]
        if self.size is None or (height, width) == (self.size, self.size):
            return image
        self.sizes.add((width, height))
        if as_picture:
            return _fitted(image, self.size)
        return values.resize_to_square(image[None], self.size)[0]

    def setting(self, option: str, value: str) -> str:
        """Return the words that set an option of the data, of this view."""
        if self.view is None:
            return f"data.{option}={value}"
        return f"'data.{option}={{{self.view}: {value}}}'"

    def _channels_first(self, raster: Raster, name: str) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the values `c h w`, and the mask of those without data."""
        shape, axes = raster.values.shape, name_axes(raster.values.shape, raster.axes, self.layout)
        if not axes:
            named = f"axes {raster.axes} of " if raster.axes else ""
            layout = f"name it with {self.setting('layout', 'chw')} or hwc"
            raise InputError(
                f"{name}: has {named}{values.by(shape)}, expected rows, columns and one axis of "
                f"channels; {layout if len(shape) == 3 else 'save one image per file'}"
            )
        order = [i for i, a in enumerate(axes) if a == "1"]
        order += [axes.index(a) for a in "CYX" if a in axes]

        def first(x: np.ndarray) -> np.ndarray:
            x = x.transpose(order)
            return x.reshape(-1, *x.shape[-2:])

        return first(raster.values), None if raster.missing is None else first(raster.missing)


def name_axes(shape: Sequence[int], axes: str, layout: str | None) -> str:
    """Return Y, X, C or 1 for each axis of an image; nothing where that is ambiguous.

    Arguments:
        shape: the lengths of the axes; those of length 1 become 1.
        axes: letters of the file, see `Raster`. An axis without a name has the channels if it is
            the only one of the first and the last with at most 16.
        layout: `chw` or `hwc`, for axes that have no name or another than samples and channels.
    """
    if not axes:
        if len(shape) != 3:
            return "YX" if len(shape) == 2 else ""
        short = [n <= values.FEW for n in (shape[0], shape[2])]
        if layout is None and short[0] == short[1]:
            return ""
        return LAYOUTS[layout or ("chw" if short[0] else "hwc")]
    kept = [(a, n) for a, n in zip(axes, shape, strict=True) if n > 1 or a in "YX"]
    others = [a for a, _ in kept if a not in "YX"]
    letters = "".join("C" if a in _NAMED else a for a, _ in kept)
    if len(others) > 1 or len(kept) != len(others) + 2:
        return ""
    if others and others[0] not in _NAMED:
        unclear = layout is None and others[0] not in _UNNAMED
        letters = "" if unclear else name_axes([n for _, n in kept], "", layout)
    if not letters:
        return ""
    named, pairs = iter(letters), zip(axes, shape, strict=True)
    return "".join(next(named) if n > 1 or a in "YX" else "1" for a, n in pairs)


def height_and_width(path: Path, load: bool = False) -> tuple[int, int] | None:
    """Return height and width of an image by its header, turned; None where they are unknown.

    Arguments:
        path: the file.
        load: read a PNG to its end, where its orientation may stand.
    """
    try:
        shape, axes, orientation = header(path, load)
        axes = name_axes(shape, axes, None)
        size = shape[axes.index("Y")], shape[axes.index("X")]
    except Exception:  # readers raise anything for a damaged file; the decoder will name it
        return None
    return size[::-1] if orientation in range(5, 9) else size


def _fitted(image: UInt8[Tensor, "c h w"], size: int) -> UInt8[Tensor, "c _ _"]:
    """Resize a picture to a square as Pillow does."""
    pixels = image.permute(1, 2, 0).contiguous().numpy()
    fitted = _fit(pixels if pixels.shape[2] == 3 else pixels[..., 0], size)
    return torch.from_numpy(np.atleast_3d(fitted)).permute(2, 0, 1)


def _fit(pixels: np.ndarray, size: int) -> np.ndarray:
    picture = Image.fromarray(pixels)
    return np.array(ImageOps.fit(picture, (size, size), Image.Resampling.BILINEAR))
