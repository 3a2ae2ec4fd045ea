"""A generator as a 3-D lookup table, opened by what others open such tables with."""

import shutil
import subprocess

import numpy as np
import pytest
import torch
from generators import batch, float32, learned, photograph
from PIL import Image
from refusal import refused, spoil
from scipy.interpolate import RegularGridInterpolator

from infomin.export.cube import ColorCube
from infomin.generator import ViewGenerator

pytestmark = pytest.mark.usefixtures("single")


@pytest.fixture(scope="module")
def cube():
    with float32():
        return ColorCube.of(learned(color="ydbdr"), 17)


def stored(cube, image):
    """What the table gives for an image, in [0, 1], `h w 3`."""
    y = cube(batch(image))[0].permute(1, 2, 0)
    return ((y - cube.low) / (cube.high - cube.low)).numpy()


def test_a_linear_generator_is_exact_between_points():
    g, x = ViewGenerator(color="yiq").eval(), torch.rand(2, 3, 9, 7)
    torch.testing.assert_close(ColorCube.of(g, 5)(x), g.transform(x), atol=1e-6, rtol=0)


def test_it_is_trilinear_interpolation(cube):
    level = np.linspace(0, 1, cube.points)
    lattice = cube.stored.numpy().transpose(3, 2, 1, 0)  # red, green, blue, channel
    image = photograph()
    expected = RegularGridInterpolator([level] * 3, lattice)(image / 255)
    np.testing.assert_allclose(stored(cube, image), expected, atol=2e-6)


def test_other_value_ranges():
    g, x = learned(value_range=(-100, 4095)), torch.rand(1, 3, 8, 8) * 4195 - 100
    inner = learned()
    inner.load_state_dict(g.state_dict())
    expected = ColorCube.of(inner, 9)((x + 100) / 4195)
    torch.testing.assert_close(ColorCube.of(g, 9)(x), expected, atol=1e-5, rtol=0)


def test_fitting_lowers_mean_and_largest_error():
    g, x = learned(std=0.5), torch.rand(1, 3, 200, 200)
    fitted, y = ColorCube.of(g, 17), g.transform(x)
    level = torch.linspace(0, 1, 17)
    b, gr, r = torch.meshgrid(level, level, level, indexing="ij")
    values = g.transform(torch.stack([r, gr, b]).reshape(1, 3, 17, -1)).reshape(3, 17, 17, 17)
    plain = ColorCube(values, torch.zeros(3), torch.ones(3))
    errors = [(c(x) - y).abs() for c in (fitted, plain)]
    assert errors[0].mean() < 0.9 * errors[1].mean()
    assert errors[0].max() < 0.75 * errors[1].max()


def test_pillow_opens_it(cube):
    image = photograph()
    filtered = np.asarray(Image.fromarray(image).filter(cube.pillow())) / 255
    error = np.abs(filtered - stored(cube, image)).max()
    assert error <= 1.01 / 255, "8 bits out, and its own rounding"
    with refused("points: Pillow takes at most 65, got 66"):
        ColorCube(torch.rand(3, 66, 66, 66), torch.zeros(3), torch.ones(3)).pillow()


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs ffmpeg")
@pytest.mark.parametrize(("depth", "pixels", "off"), [(8, "rgb24", 1 / 255), (16, "rgb48le", 1e-4)])
def test_ffmpeg_opens_it(cube, tmp_path, depth, pixels, off):
    image, whole = photograph(), 2**depth - 1
    levels = np.round(image / 255 * whole).astype(f"<u{depth // 8}")
    cube.save(tmp_path / "g.cube", "a generator")
    raw = ["-f", "rawvideo", "-pix_fmt", pixels]
    line = ["ffmpeg", "-loglevel", "error", *raw, "-s", "160x120", "-i", "-"]
    line += ["-vf", f"lut3d=file={tmp_path / 'g.cube'}:interp=trilinear", *raw, "-"]
    done = subprocess.run(
        line, input=levels.tobytes(), stdout=subprocess.PIPE, check=True, timeout=60
    )
    filtered = np.frombuffer(done.stdout, levels.dtype).reshape(image.shape) / whole
    assert np.abs(filtered - stored(cube, image)).max() <= off


def test_save_and_load(cube, tmp_path):
    cube.save(tmp_path / "g.cube", "a generator")
    again = ColorCube.load(tmp_path / "g.cube")
    x = batch(photograph())
    assert again.value_range == cube.value_range and again.points == cube.points
    torch.testing.assert_close(again(x), cube(x), atol=1e-6, rtol=0)


@pytest.mark.parametrize("how", ["truncated", "text", "empty"])
def test_a_damaged_file_is_refused(cube, tmp_path, how):
    cube.save(tmp_path / "g.cube", "a generator")
    with refused(r"g\.cube: is not a \.cube file of a view generator"):
        ColorCube.load(spoil(tmp_path / "g.cube", how))


def test_a_forged_file_is_refused(cube, tmp_path):
    path = tmp_path / "g.cube"
    cube.save(path, "a generator")
    text = path.read_text()
    for before, after in (
        ("SIZE 17", "SIZE inf"),
        ("# low ", "# low 1 "),
        ("# range 0 1", "# range 1 1"),
        ("\n0.", "\nnan0."),
    ):
        path.write_text(text.replace(before, after, 1))
        with refused(r"g\.cube: is not a \.cube file of a view generator"):
            ColorCube.load(path)


def test_nothing_is_clipped(cube):
    for value in (-0.01, 1.01, float("nan")):
        with refused(r"a lookup table takes values within \[0.0, 1.0\]"):
            cube(torch.full((1, 3, 2, 2), value))


def test_it_wants_three_channels_and_two_points():
    with refused("lut: a lookup table needs a generator of 3 channels, got 4"):
        ColorCube.of(ViewGenerator(4))
    with refused("points: expected 2..256 a side of the cube, got 1"):
        ColorCube.of(ViewGenerator(), 1)
