"""The content of image files as it is stored, with everything that the files declare about it.

A file is recognised by its first bytes, not by its suffix. NumPy reads `.npy`, tifffile reads TIFF,
and Pillow reads all pictures, those of 8 bits in TIFF too. `decode` applies the rules: no option
matters here.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Shaped
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError
from tifffile import PHOTOMETRIC, TiffFile, TiffPage, TiffPageSeries

from infomin.core.errors import InputError
from infomin.data.tar_files import Member
from infomin.data.values import read_array

File = Path | Member
"""A file of images, or a file inside an archive."""
_NUMPY, _TIFF = b"\x93NUMPY", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ORIENTATION, _NO_DATA = int(ExifTags.Base.Orientation), 42113  # GDAL_NODATA
_PLAIN = (PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.RGB)
_ALPHA = (1, 2)  # TIFF's associated and unassociated alpha
_lock = threading.Lock()
_opened: list[int | None] = []  # Pillow's limit, once per picture that is being read


@dataclass(frozen=True)
class Raster:
    """Pixels and their declared properties.

    Attributes:
        values: the pixels as they are stored, palettes applied.
        axes: one letter per axis: Y rows, X columns, S or C channels, Q or I pages or an axis
            without a name, others as tifffile names them; empty if no axis has a name.
        alpha: indices of the channels that are declared as alpha.
        orientation: the number of EXIF, 1 to 8.
        white_is_zero: whether the lowest value means white.
        missing: marks the values that are declared as no data, in the shape of `values`; or None.
        color: color space of the file, where the values were converted from it to RGB.
        frames: number of pictures in the file, of which the values are the first.
        picture: whether these are 8 bits of Pillow, which resizes them then.
    """

    values: np.ndarray
    axes: str = ""
    alpha: tuple[int, ...] = ()
    orientation: int = 1
    white_is_zero: bool = False
    missing: np.ndarray | None = None
    color: str = ""
    frames: int = 1
    picture: bool = False


def read_raster(path: File) -> Raster:
    """Read an image file.

    Raises:
        InputError: for a good file that cannot be read, with the reason.
        Exception: for a damaged file; decoders raise anything.
    """
    start = first_bytes(path)
    if start.startswith(_NUMPY):
        with path.open("rb") as stream:
            return Raster(read_array(stream))
    if start.startswith(_TIFF):
        try:
            return _read_tiff(path)
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            raise InputError(f"{path}: {error}; pip install imagecodecs") from None
    return _read_picture(path)


def header(path: Path, load: bool = False) -> tuple[tuple[int, ...], str, int]:
    """Return shape, axes and orientation of an image file without its pixels.

    Arguments:
        path: the file.
        load: read a PNG to its end, where its orientation may stand.
    """
    start = first_bytes(path)
    if start.startswith(_NUMPY):
        return np.load(path, mmap_mode="r", allow_pickle=False).shape, "", 1
    if start.startswith(_TIFF):
        with TiffFile(path) as file:
            series = file.series[0]
            return series.shape, series.axes, series.keyframe.tags.valueof(_ORIENTATION, 1)
    with _any_size(), Image.open(path) as image:
        exif = image.getexif() if load else Image.Image.getexif(image)
        return (image.height, image.width), "YX", exif.get(_ORIENTATION, 1)


def first_bytes(path: File) -> bytes:
    """Return the bytes that tell the format of a file."""
    with path.open("rb") as stream:
        return stream.read(8)


def raster_of(image: Image.Image) -> Raster:
    """Return the pixels of a picture: grey or RGB, with alpha behind."""
    image.load()
    orientation = image.getexif().get(_ORIENTATION, 1)
    mode, transparent = image.mode, image.has_transparency_data
    if mode.startswith("I;16") or mode in ("I", "F"):
        return Raster(_integers(np.array(image)), "YX", orientation=orientation)
    grey = mode in ("1", "L", "LA", "La")
    usual = grey or mode in ("RGB", "RGBX", "RGBA", "RGBa", "P", "PA")
    target = ("LA" if grey else "RGBA") if transparent else ("L" if grey else "RGB")
    try:
        converted = image if mode == target else image.convert(target)
    except ValueError:  # Pillow has no conversion from LAB
        raise InputError(f"picture of mode {mode}: expected grey or RGB; save it as RGB") from None
    values = np.array(converted)
    return Raster(
        values,
        "YX" if values.ndim == 2 else "YXS",
        alpha=(len(target) - 1,) if transparent else (),
        orientation=orientation,
        color="" if usual else mode,
        picture=True,
    )


def turned(
    pixels: Shaped[np.ndarray, "... h w"], orientation: int
) -> Shaped[np.ndarray, "... _ _"]:
    """Turn and mirror pixels as the number of EXIF says, so that their top is up."""
    if orientation in range(5, 9):
        pixels = pixels.swapaxes(-2, -1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[..., ::-1, :]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[..., ::-1]
    return pixels


def _read_picture(path: File) -> Raster:
    with _any_size(), _open_picture(path) as image:
        if image.format == "PNG" and any("16" in str(tile.args) for tile in image.tile):
            return _read_16_bit_png(path)
        # the second picture of MPO, JPEG of phones, is a preview or depth
        animated = image.format != "MPO" and getattr(image, "is_animated", False)
        frames = getattr(image, "n_frames", 1) if animated else 1
        return replace(raster_of(image), frames=frames)


def _openable(file: File) -> Path | BytesIO:
    return file if isinstance(file, Path) else file.open("rb")


def _open_picture(file: File) -> ImageFile.ImageFile:
    try:
        return Image.open(_openable(file))
    except UnidentifiedImageError:
        if isinstance(file, Path):
            raise
        raise ValueError("its format is not known") from None


def _read_16_bit_png(path: File) -> Raster:
    """Read a 16-bit PNG. Pillow keeps one byte of a value: the first for 16B, else the second."""
    planes = []
    for byte_order in ("16B", "16L"):
        with _open_picture(path) as image:
            mode, key = image.mode, image.info.get("transparency")
            if any(tile.args == "LA;16B" for tile in image.tile):  # two bytes of grey, two of alpha
                image.tile = [tile._replace(args="RGBA") for tile in image.tile]
                values = np.ascontiguousarray(np.array(image)).view(">u2").astype(np.uint16)
                return Raster(values, "YXS", (1,), image.getexif().get(_ORIENTATION, 1))
            if mode != "I;16":
                rawmode = f"{mode};{byte_order}"
                image.tile = [tile._replace(args=rawmode) for tile in image.tile]
            planes.append(np.atleast_3d(np.array(image)))
            orientation = image.getexif().get(_ORIENTATION, 1)
    values = planes[0] if mode == "I;16" else planes[0].astype(np.uint16) << 8 | planes[1]
    if key is not None:  # one value means transparent
        opaque = (values != np.array(key, np.uint16)).any(-1, keepdims=True)
        values = np.concatenate([values, opaque * np.uint16(65535)], -1)
    alpha = (values.shape[-1] - 1,) if values.shape[-1] in (2, 4) else ()
    return Raster(values, "YXS", alpha, orientation)


def _read_tiff(path: File) -> Raster:
    with TiffFile(_openable(path)) as file:
        series = file.series[0]
        page = series.keyframe
        orientation, picture = page.tags.valueof(_ORIENTATION, 1), _is_picture(series)
        raster = _tiff_picture(path, page) if picture else _tiff_array(series)
        pairs = zip(raster.axes, raster.values.shape, strict=True)
        plane = [n if axis in "YX" else 1 for axis, n in pairs]
        masks = (s for s in file.series[1:] if s.keyframe.is_mask)
        for mask in (s.asarray() for s in masks if s.shape == (page.imagelength, page.imagewidth)):
            mask = turned(mask, orientation if picture else 1)
            missing = np.broadcast_to((mask == 0).reshape(plane), raster.values.shape)
            known = raster.missing
            raster = replace(raster, missing=missing if known is None else missing | known)
        return replace(
            raster,
            orientation=1 if picture else orientation,
            white_is_zero=page.photometric == PHOTOMETRIC.MINISWHITE,
        )


def _is_picture(series: TiffPageSeries) -> bool:
    """Return whether Pillow reads a TIFF as it is stored: 8 bits or fewer, no unknown channel."""
    page = series.keyframe
    colors, samples = page.photometric, page.samplesperpixel
    samples -= page.extrasamples in ((1,), (2,)) and colors != PHOTOMETRIC.MINISWHITE
    known = colors > PHOTOMETRIC.RGB or samples == (3 if colors == PHOTOMETRIC.RGB else 1)
    unsigned = page.dtype is not None and page.dtype.kind in "ub"
    return bool(len(series.pages) == 1 and page.bitspersample <= 8 and known and unsigned)


def _tiff_picture(path: File, page: TiffPage) -> Raster:
    """Return the pixels of a TIFF as they are stored, but turned: Pillow does that."""
    with _any_size(), _open_picture(path) as image:
        image.load()
        raster, stored = raster_of(image), np.array(image)  # indices, of a palette
    if page.photometric == PHOTOMETRIC.MINISWHITE:
        raster, stored = replace(raster, values=255 - raster.values), 255 - stored
    missing = _no_data(stored, page) if page.bitspersample == 8 else None
    if missing is not None:
        if missing.ndim < raster.values.ndim:
            missing = missing[..., None]
        raster = replace(raster, missing=np.broadcast_to(missing, raster.values.shape))
    return raster


def _tiff_array(series: TiffPageSeries) -> Raster:
    """Return the values of a TIFF of any type and number of channels."""
    page, axes, values = series.keyframe, series.axes, series.asarray()
    frames = 1
    if len(axes) == 4 and axes[0] in "QI" and "S" in axes:  # pages in color
        frames, axes, values = len(values), axes[1:], values[0]
    missing = _no_data(values, page)
    if page.photometric == PHOTOMETRIC.PALETTE:
        values = np.moveaxis(np.asarray(page.colormap)[:, values], 0, -1)
        missing = None if missing is None else np.broadcast_to(missing[..., None], values.shape)
        axes += "S"
    elif page.photometric not in _PLAIN:
        name = PHOTOMETRIC(page.photometric).name
        raise InputError(f"TIFF of colors {name} in {page.dtype}: expected grey or RGB; save it so")
    alpha: tuple[int, ...] = ()
    if "S" in axes and page.extrasamples:
        samples = axes.index("S")
        first = values.shape[samples] - len(page.extrasamples)
        alpha = tuple(first + i for i, kind in enumerate(page.extrasamples) if kind in _ALPHA)
        if page.extrasamples[0] == 1:
            values = _unmultiplied(np.moveaxis(values, samples, -1), first)
            values = np.moveaxis(values, -1, samples)
    return Raster(values, axes, alpha, missing=missing, frames=frames)


def _unmultiplied(values: np.ndarray, alpha: int) -> np.ndarray:
    """Divide the colors before a channel of associated alpha by it, as Pillow does."""
    top = np.iinfo(values.dtype).max if values.dtype.kind == "u" else 1
    opacity = values[..., alpha : alpha + 1].astype(np.float64)
    colors = values[..., :alpha] * (top / np.where(opacity > 0, opacity, top))
    return np.concatenate([colors.clip(None, top).astype(values.dtype), values[..., alpha:]], -1)


def _no_data(values: np.ndarray, page: TiffPage) -> np.ndarray | None:
    """Return the mask of the values that GDAL's tag declares as no data; None without any."""
    try:
        value = float(page.tags.valueof(_NO_DATA, ""))
    except ValueError:
        return None
    with np.errstate(over="ignore"):
        missing = np.isnan(values) if np.isnan(value) else values == value
    return missing if missing.any() else None


def _integers(values: np.ndarray) -> np.ndarray:
    """Return integers of 32 bits as uint16 where they fit: Pillow widens PGM of 16 bits."""
    fits = values.dtype.kind == "i" and values.min() >= 0 and values.max() < 2**16
    return values.astype(np.uint16) if fits else values


@contextmanager
def _any_size() -> Iterator[None]:
    """Lift Pillow's limit of pixels while any thread is inside: the files are the user's own."""
    with _lock:
        _opened.append(Image.MAX_IMAGE_PIXELS if not _opened else _opened[0])
        Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        with _lock:
            limit = _opened.pop()
            if not _opened:
                Image.MAX_IMAGE_PIXELS = limit
