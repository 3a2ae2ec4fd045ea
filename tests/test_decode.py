"""Files of every kind become `c h w` in their own type, or one line names what is wrong."""

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from real import DATA, needs
from refusal import refused, spoil
from skimage import data as photographs
from stacks import NAMES, six_channel_folder, six_channels, write_png

from infomin import data
from infomin.core.errors import UnreadableFile
from infomin.data.decode import Decoder

pytestmark = pytest.mark.usefixtures("single")


@pytest.fixture
def stack():
    """Six channels of real photographs, `h w c`, 12 bits."""
    return next(six_channels(1, side=20))[0]


def decoded(path, size=None, **options):
    return Decoder(size, **options)(path).numpy()


def test_16_bit_png_keep_all_their_bits(tmp_path):
    photo = photographs.astronaut()[:40, 100:140].astype(np.uint16) * 257 - 13
    path = write_png(tmp_path / "photo.png", photo)
    assert np.array_equal(decoded(path), photo.transpose(2, 0, 1))


def test_16_bit_png_with_alpha_or_grey(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 65536, (8, 8, 4), dtype=np.uint16)
    alpha = write_png(tmp_path / "alpha.png", pixels)
    assert np.array_equal(decoded(alpha), pixels.transpose(2, 0, 1))
    assert np.array_equal(decoded(alpha, convert=True), pixels[..., :3].transpose(2, 0, 1))
    grey = write_png(tmp_path / "grey.png", pixels[..., :1])
    with refused(f"{grey}: has 1 channel, expected 2 to 1024"):
        Decoder()(grey)
    assert np.array_equal(decoded(grey, convert=True), np.stack([pixels[..., 0]] * 3))
    both = write_png(tmp_path / "both.png", pixels[..., :2])
    assert np.array_equal(decoded(both), pixels[..., :2].transpose(2, 0, 1))
    assert np.array_equal(decoded(both, convert=True), np.stack([pixels[..., 0]] * 3))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(
    ("layout", "options"),
    [
        ("YXS", {"planarconfig": "contig"}),
        ("SYX", {"planarconfig": "separate"}),
        ("QYX", {}),
        ("CYX", {"imagej": True}),
        ("CYX", {"ome": True, "metadata": {"axes": "CYX"}}),
        ("YXS", {"planarconfig": "contig", "byteorder": ">", "compression": "zlib"}),
    ],
)
def test_a_tiff_names_its_axes(tmp_path, stack, kind, layout, options):
    pixels = (stack / 4095).astype(kind) if kind == np.float32 else (stack >> 4).astype(kind)
    first = np.ascontiguousarray(pixels.transpose(2, 0, 1))
    if "imagej" not in options:
        options = {"photometric": "minisblack", **options}
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, pixels if layout == "YXS" else first, **options)
    with tifffile.TiffFile(path) as file:
        assert file.series[0].axes == layout
    image = decoded(path)
    assert image.dtype == kind and np.array_equal(image, first)


def test_tiffs_of_three_channels_are_pictures_of_8_bits_and_arrays_of_16(tmp_path):
    photo = photographs.astronaut()[:20, 100:120]
    for pixels in (photo, photo.astype(np.uint16) * 257):
        tifffile.imwrite(tmp_path / "photo.tiff", pixels, photometric="rgb")
        assert np.array_equal(decoded(tmp_path / "photo.tiff"), pixels.transpose(2, 0, 1))
    Image.fromarray(photo).save(tmp_path / "photo.tif", compression="tiff_lzw")
    assert np.array_equal(decoded(tmp_path / "photo.tif"), photo.transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((2, 6, 8, 8), {"photometric": "minisblack"}, "has axes QQYX of 2 x 6 x 8 x 8, expected"),
        ((5, 8, 8), {"imagej": True, "metadata": {"axes": "ZYX"}}, "has axes ZYX of 5 x 8 x 8"),
        (
            (20, 24, 24),
            {"photometric": "minisblack"},
            "has axes QYX of 20 x 24 x 24, .*data.layout",
        ),
    ],
)
def test_a_tiff_that_is_no_stack_of_channels_is_refused(tmp_path, shape, options, message):
    tifffile.imwrite(tmp_path / "odd.tif", np.zeros(shape, np.uint16), **options)
    with refused(message):
        Decoder()(tmp_path / "odd.tif")


@pytest.mark.parametrize("how", ["truncated", "text", "empty"])
@pytest.mark.parametrize("suffix", [".tif", ".npy", ".png"])
def test_damaged_files_are_refused_by_name(tmp_path, stack, suffix, how):
    path = tmp_path / f"stack{suffix}"
    if suffix == ".npy":
        np.save(path, stack)
    elif suffix == ".png":
        write_png(path, stack[..., :3])
    else:
        options = {"photometric": "minisblack", "planarconfig": "contig"}
        tifffile.imwrite(path, stack, compression="zlib", **options)
    with pytest.raises(UnreadableFile, match=f"^{path}: cannot be read "):
        Decoder()(spoil(path, how))


def test_the_only_axis_of_at_most_16_has_the_channels_of_an_array(tmp_path, stack):
    path, first = tmp_path / "stack.npy", stack.transpose(2, 0, 1)
    for array, options in ((stack, {}), (first, {}), (first, {"layout": "chw"})):
        np.save(path, array)
        assert np.array_equal(decoded(path, **options), first)
    small = stack[:6, :6]
    np.save(path, small)
    with refused(f"{path}: has 6 x 6 x 6, expected rows, columns and one axis of channels; name i"):
        Decoder()(path)
    assert np.array_equal(decoded(path, layout="hwc"), small.transpose(2, 0, 1))
    assert np.array_equal(decoded(path, layout="chw"), small)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((20, 20)), "has 1 channel, expected 2 to 1024"),
        (np.zeros((2, 3, 20, 20)), "has 2 x 3 x 20 x 20, expected rows, columns and one axis"),
    ],
)
def test_an_array_that_is_no_image_is_refused(tmp_path, array, message):
    np.save(tmp_path / "odd.npy", array)
    with refused(f"{tmp_path}/odd.npy: {message}"):
        Decoder()(tmp_path / "odd.npy")


def test_a_folder_of_six_channels_is_read_with_its_range_and_names(tmp_path):
    root = str(six_channel_folder(tmp_path / "stacks", count=10))
    cache = str(tmp_path / "cache")
    options = {"value_range": [0, 4095], "channel_names": NAMES, "cache": cache}
    for _ in range(2):  # decoded, and from the cache
        dataset = data.image_folder(root, 16, **options)
        assert (dataset.channels, dataset.value_range) == (6, (0, 4095))
        assert (dataset.channel_names, dataset.classes) == (NAMES, ("astronaut", "coffee"))
        assert dataset.train.images.dtype == torch.uint16
        assert 1000 < dataset.train.images.float().max() <= 4095
    assert len(list((tmp_path / "cache").iterdir())) == 1
    options["channel_names"] = NAMES[::-1]
    assert data.image_folder(root, 16, **options).channel_names == NAMES[::-1]
    with refused(r"(coffee|astronaut)/\d+.npy: has values .*, outside \[0, 1000\]"):
        data.image_folder(root, 16, value_range=[0, 1000], cache=cache)
    with refused("data.channel_names: expected 6 names, got 3"):
        data.image_folder(root, 16, **options | {"channel_names": ["R", "G", "B"]})


def test_training_and_test_images_are_of_one_kind(tmp_path):
    for split in ("train", "val"):
        six_channel_folder(tmp_path / split, count=2)
    for path in (tmp_path / "val").rglob("*.npy"):
        np.save(path, np.load(path) / 4095)
    with refused(
        "/train/.* is 6 channels of uint16, .*/val/.* is 6 channels of float32; expected one"
    ):
        data.image_folder(str(tmp_path), 16, cache=str(tmp_path / "cache"))


@needs("kodak24")
def test_a_real_photograph_of_16_bits_is_that_of_8_bits_in_finer_steps(tmp_path):
    photo = np.asarray(Image.open(DATA / "kodak24" / "kodim23.png"))
    path = write_png(tmp_path / "kodim23.png", photo.astype(np.uint16) * 257)
    fine = Decoder(64)(path)
    coarse = Decoder(64)(DATA / "kodak24" / "kodim23.png")
    assert fine.dtype == torch.uint16 and coarse.dtype == torch.uint8
    off = (fine.float() / 257 - coarse)[..., 1:-1]  # at the cut, Pillow uses pixels beyond it
    assert off.abs().max() <= 1.01  # and it rounds after each axis
