"""One table of rules for all formats: every format goes through every rule that it can state."""

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from PIL.PngImagePlugin import PngImageFile
from refusal import refused
from stacks import write_png

from infomin import data, from_torch
from infomin.data.decode import Decoder, height_and_width

pytestmark = pytest.mark.usefixtures("single")

TAG = 274
RANDOM = np.random.default_rng(0)
# four flat quarters, so that JPEG keeps them: rows, columns, colours
PHOTO = np.zeros((16, 32, 3), np.uint8)
PHOTO[:8, :16], PHOTO[:8, 16:], PHOTO[8:, :16] = (200, 40, 40), (40, 200, 40), (40, 40, 200)
FORMATS = ("jpg", "png", "webp", "8 bit.tif", "png16", "16 bit.tif", "float.tif", "planes.tif")


def save(path, pixels, tag=1):
    """Save a photo in the format of a path, with its orientation tag; return the stored values."""
    exif = Image.Exif()
    exif[TAG] = tag
    tags = [(TAG, 3, 1, tag, True)]
    if path.suffix in (".jpg", ".png", ".webp") or path.name.startswith("8 bit"):
        options = {".jpg": {"quality": 100, "subsampling": 0}, ".webp": {"lossless": True}}
        Image.fromarray(pixels).save(path, exif=exif, **options.get(path.suffix, {}))
        return pixels
    if path.suffix == ".png16":
        pixels = pixels.astype(np.uint16) * 257
        write_png(path, pixels, exif.tobytes())
        return pixels
    if path.name.startswith("planes"):  # four channels, as planes
        pixels = np.dstack([pixels, pixels[..., 0] // 2])
        first = np.ascontiguousarray(pixels.transpose(2, 0, 1))
        options = {"photometric": "minisblack", "planarconfig": "separate"}
        tifffile.imwrite(path, first, extratags=tags, **options)
        return pixels
    scale = {"16": 257, "float": np.float32(1 / 255)}[path.name.split()[0].split(".")[0]]
    pixels = pixels.astype(np.uint16 if scale == 257 else np.float32) * scale
    tifffile.imwrite(path, pixels, photometric="rgb", extratags=tags)
    return pixels


def upright(pixels, tag):
    """Turn pixels as Pillow does, which is the oracle."""
    method = [None, 0, 3, 1, 5, 4, 6, 2][tag - 1]
    turned = [
        np.asarray(x if method is None else x.transpose(Image.Transpose(method)))
        for x in map(Image.fromarray, np.moveaxis(pixels.astype(np.float32), -1, 0))
    ]
    return np.stack(turned)


@pytest.mark.parametrize("tag", range(1, 9))
@pytest.mark.parametrize("name", FORMATS)
def test_the_orientation_tag_is_applied(tmp_path, name, tag):
    path = tmp_path / (name if "." in name else f"photo.{name}")
    stored = save(path, PHOTO, tag)
    image = Decoder(None)(path).float().numpy()
    expected = upright(stored, tag)
    assert image.shape == expected.shape
    assert np.abs(image - expected).max() <= (2 if name == "jpg" else 0)
    assert height_and_width(path) == image.shape[1:]


def test_a_tag_behind_the_pixels_of_a_png_is_found(tmp_path):
    path = tmp_path / "late.png"
    exif = Image.Exif()
    exif[TAG] = 6
    write_png(path, PHOTO.astype(np.uint16), exif.tobytes(), late=True)
    assert Decoder(None)(path).shape == (3, 32, 16)
    assert height_and_width(path, load=True) == (32, 16)


def test_a_picture_of_pillow_is_turned_too():
    exif = Image.Exif()
    exif[TAG] = 3
    picture = Image.fromarray(PHOTO[:, :16])
    picture.getexif()[TAG] = 3
    dataset = from_torch([picture] * 5)
    assert np.array_equal(dataset.train.images[0], PHOTO[::-1, 15::-1].transpose(2, 0, 1))
    assert picture.getexif()[TAG] == 3


def test_paired_views_stay_aligned(tmp_path):
    for i in range(5):
        for name, pixels, tag in (("rgb", PHOTO, 6), ("depth", np.rot90(PHOTO[..., 0], -1), 1)):
            path = tmp_path / name / (f"{i}.jpg" if name == "rgb" else f"{i}.png")
            path.parent.mkdir(exist_ok=True)
            save(path, np.ascontiguousarray(pixels), tag)
    views = {name: str(tmp_path / name) for name in ("rgb", "depth")}
    images = data.paired_folders(views, 8, cache=str(tmp_path / "cache")).train.images.int()
    assert (images[:, 0] - images[:, 3]).abs().max() <= 2
    for i in range(5):
        save(tmp_path / "depth" / f"{i}.png", PHOTO[..., 0])
    with refused("0.jpg is 16x32, .*0.png is 32x16; .* correspond; an orientation tag may turn"):
        data.paired_folders(views, 8, cache=str(tmp_path / "cache"))


# Photometric
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("extra", [False, True])
def test_white_is_zero_is_inverted_within_the_value_range(tmp_path, kind, extra):
    pixels = RANDOM.integers(0, 256, (8, 8)).astype(kind)
    if kind == np.float32:
        pixels /= 255
    options, stored = {"photometric": "miniswhite"}, pixels
    if extra:
        stored = np.dstack([pixels, pixels[::-1]])
        options |= {"planarconfig": "contig", "extrasamples": ["unassalpha"]}
    tifffile.imwrite(tmp_path / "a.tif", stored, **options)
    top = {np.uint8: 255, np.uint16: 65535, np.float32: np.float32(1)}[kind]
    image = Decoder(None, grey=True)(tmp_path / "a.tif").numpy()
    assert np.array_equal(image[0], top - pixels)
    assert len(image) == 1 + extra and np.array_equal(
        image[-1], pixels[::-1] if extra else image[0]
    )
    if kind == np.uint16:
        image = Decoder(None, grey=True, value_range=[0, 300])(tmp_path / "a.tif").numpy()
        assert np.array_equal(image[0], 300 - pixels)


def test_white_is_zero_of_one_bit(tmp_path):
    bits = RANDOM.random((8, 16)) < 0.5
    tifffile.imwrite(tmp_path / "a.tif", bits, photometric="miniswhite")
    image = Decoder(None, grey=True)(tmp_path / "a.tif").numpy()
    assert np.array_equal(image[0], np.where(bits, 0, 255))


@pytest.mark.parametrize("suffix", ["png", "gif", "tif", "16.tif"])
def test_palettes_are_applied(tmp_path, suffix):
    index, palette = RANDOM.integers(0, 4, (8, 8)), RANDOM.integers(0, 256, (4, 3))
    path = tmp_path / f"a.{suffix}"
    if suffix == "16.tif":
        colors = np.zeros((3, 65536), np.uint16)
        colors[:, :4] = palette.T * 257
        tifffile.imwrite(path, index.astype(np.uint16), photometric="palette", colormap=colors)
        palette = palette * 257
    else:
        picture = Image.fromarray(index.astype(np.uint8))
        picture.putpalette(palette.astype(np.uint8).tobytes())
        picture.save(path)
    assert np.array_equal(Decoder(None)(path).numpy(), palette[index].transpose(2, 0, 1))


@pytest.mark.parametrize("suffix", ["jpg", "tif", "16.tif"])
def test_other_color_spaces_need_convert(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    if suffix == "16.tif":
        pixels = np.zeros((8, 8, 4), np.uint16)
        tifffile.imwrite(path, pixels, photometric="separated")
        with refused("16.tif: .*SEPARATED.* expected grey or RGB"):
            Decoder(None, convert=True)(path)
        return
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(path)
    with refused(f"{path}: has mode CMYK, expected RGB or grey; data.convert=true makes it RGB"):
        Decoder(None)(path)
    assert (
        abs(Decoder(None, convert=True)(path)[:, 4, 4].int() - torch.tensor([255, 0, 0])).max() < 9
    )


# Alpha and extra samples
def rgba(kind, channels=4):
    return RANDOM.integers(0, np.iinfo(kind).max, (8, 8, channels), dtype=kind, endpoint=True)


ALPHA = {
    "png": lambda path, x: Image.fromarray(x).save(path),
    "webp": lambda path, x: Image.fromarray(x).save(path, lossless=True, exact=True),
    "pillow.tif": lambda path, x: Image.fromarray(x).save(path),
    "png16": write_png,
    "tif": lambda path, x: tifffile.imwrite(
        path, x, photometric="rgb" if x.shape[2] > 2 else "minisblack", planarconfig="contig",
        extrasamples=["unassalpha"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        ("png", "u1"),
        ("webp", "u1"),
        ("pillow.tif", "u1"),
        ("tif", "u1"),
        ("tif", "u2"),
        ("png16", "u2"),
    ],
)
def test_alpha_is_a_channel_that_convert_drops(tmp_path, suffix, kind, channels):
    if suffix == "webp" and channels == 2:
        pytest.skip("WebP has no grey")
    path, pixels = tmp_path / f"a.{suffix}", rgba(kind, channels)
    ALPHA[suffix](path, pixels)
    decoder = Decoder(None)
    assert np.array_equal(decoder(path).numpy(), pixels.transpose(2, 0, 1))
    assert decoder.advice() == (
        f"channel {channels} is declared as alpha and kept; data.convert=true drops it",
    )
    colors = np.broadcast_to(pixels[..., :-1], (8, 8, 3)).transpose(2, 0, 1)
    decoder = Decoder(None, convert=True)
    assert np.array_equal(decoder(path).numpy(), colors) and not decoder.advice()


@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
@pytest.mark.parametrize(
    ("extra", "kept"),
    [
        (["unspecified"], [0, 1, 2, 3]),
        (["unspecified", "unassalpha"], [0, 1, 2, 3]),
        (["unassalpha", "unspecified"], [0, 1, 2, 4]),
        (["unassalpha"] * 3, [0, 1, 2]),
    ],
)
def test_extra_samples_are_channels_unless_they_are_alpha(tmp_path, kind, extra, kept):
    pixels = rgba("u1", 3 + len(extra)).astype(kind)
    pixels = pixels / np.float32(255) if kind == "f4" else pixels
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=extra)
    first = pixels.transpose(2, 0, 1)
    assert np.array_equal(Decoder(None)(path).numpy(), first)
    assert np.array_equal(Decoder(None, convert=True)(path).numpy(), first[kept])


@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_colors_are_divided_by_associated_alpha(tmp_path, kind):
    top = np.iinfo(kind).max
    pixels = np.zeros((8, 8, 4), kind)
    pixels[..., 0], pixels[..., 3] = top // 4, top // 2
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["assocalpha"])
    image = Decoder(None, convert=True)(tmp_path / "a.tif")[:, 0, 0].tolist()
    assert image == [pytest.approx(top / 2, rel=0.02), 0, 0]


@pytest.mark.parametrize("mode", ["P", "RGB", "L", "16 bit RGB", "16 bit L"])
def test_a_transparent_color_of_png_is_alpha(tmp_path, mode):
    path, key = tmp_path / "a.png", 7
    if mode.startswith("16"):
        pixels = RANDOM.integers(0, 65536, (8, 8, 3 if "RGB" in mode else 1), dtype=np.uint16)
        pixels[0, 0] = key
        write_png(path, pixels, key=(key,) * pixels.shape[2])
    else:
        picture = Image.new(mode, (8, 8), 5 if mode != "RGB" else (5, 5, 5))
        if mode == "P":
            picture.putpalette(bytes(range(256)) * 3)
        picture.putpixel((0, 0), key if mode != "RGB" else (key,) * 3)
        picture.save(path, transparency=key if mode != "RGB" else (key,) * 3)
    alpha = Decoder(None)(path)[-1].float()
    assert alpha[0, 0] == 0 and alpha.flatten()[1:].unique().tolist() == [
        255 if "16" not in mode else 65535
    ]
    assert len(Decoder(None, convert=True)(path)) == 3


# Axes, pages and frames
@pytest.mark.parametrize("suffix", ["npy", "tif"])
@pytest.mark.parametrize("layout", ["chw", "hwc"])
def test_unnamed_axes_are_told_apart_by_length_or_named(tmp_path, suffix, layout):
    path, pixels = tmp_path / f"a.{suffix}", rgba("u1", 6)
    for side in (24, 8):
        pixels = RANDOM.integers(0, 256, (side, side, 6), dtype=np.uint8)
        first = pixels.transpose(2, 0, 1)
        stored = np.ascontiguousarray(first if layout == "chw" else pixels)
        if suffix == "npy":
            np.save(path, stored)
        else:
            tifffile.imwrite(path, stored, photometric="minisblack")
        if side == 24:
            assert np.array_equal(Decoder(None)(path).numpy(), first)
        else:
            with refused(r"a\..*, expected rows, columns and one axis of channels; name it with d"):
                Decoder(None)(path)
        assert np.array_equal(Decoder(None, layout=layout)(path).numpy(), first)


@pytest.mark.parametrize("layout", [None, "chw", "hwc"])
def test_a_layout_leaves_named_axes_as_they_are(tmp_path, layout):
    pixels = rgba("u2", 3)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb")
    image = Decoder(None, layout=layout)(tmp_path / "a.tif").numpy()
    assert np.array_equal(image, pixels.transpose(2, 0, 1))


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tif"])
def test_the_first_picture_of_an_animation_needs_convert(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    first, second = (Image.new("RGB", (8, 8), color) for color in ((255, 0, 0), (0, 0, 255)))
    options = {"lossless": True} if suffix == "webp" else {}
    first.save(path, save_all=True, append_images=[second], **options)
    with refused(
        f"{path}: has 2 pictures, expected one; save .*, or data.convert=true takes the f"
    ):
        Decoder(None)(path)
    assert Decoder(None, convert=True)(path)[:, 0, 0].tolist() == [255, 0, 0]


# Content, not suffixes
def test_a_picture_that_exceeds_the_memory_is_named(tmp_path, monkeypatch):
    path = tmp_path / "large.png"
    Image.new("RGB", (8, 8)).save(path)
    monkeypatch.setattr(PngImageFile, "load", lambda self: bytearray(2**60))
    with refused(f"{path}: cannot be read .it does not fit into the memory .* cut it into tiles"):
        Decoder(None)(path)


@pytest.mark.parametrize("suffix", ["pgm", "jp2"])
def test_16_bits_of_other_formats_keep_all_bits(tmp_path, suffix):
    pixels = rgba("u2", 1)[..., 0]
    options = {"irreversible": False} if suffix == "jp2" else {}
    Image.fromarray(pixels).save(tmp_path / f"a.{suffix}", **options)
    assert np.array_equal(Decoder(None, grey=True)(tmp_path / f"a.{suffix}")[0].numpy(), pixels)


def test_a_file_is_read_by_its_content(tmp_path):
    pixels = rgba("u2", 3)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb")
    (tmp_path / "a.tif").rename(tmp_path / "a.png")
    assert np.array_equal(Decoder(None)(tmp_path / "a.png").numpy(), pixels.transpose(2, 0, 1))


@pytest.mark.slow
def test_a_large_picture_is_read(tmp_path):
    limit = Image.MAX_IMAGE_PIXELS
    Image.new("1", (14000, 13000)).save(tmp_path / "large.png")
    assert Decoder(8, convert=True)(tmp_path / "large.png").shape == (3, 8, 8)
    assert Image.MAX_IMAGE_PIXELS == limit
