"""Views inside kornia's pipelines and of NumPy arrays, and what all transforms share."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from generators import photograph
from PIL import Image
from refusal import refused

from infomin import ViewGenerator, load_generator
from infomin.export.transforms import KorniaViews, NumpyViews, TorchvisionViews
from infomin.views import color_table as table

pytestmark = pytest.mark.usefixtures("single")


def close(a, b, atol=1e-6):
    torch.testing.assert_close(torch.as_tensor(a), torch.as_tensor(b), atol=atol, rtol=0)


def test_kornia_augments_in_sequence(home):
    from kornia.augmentation import AugmentationSequential, RandomHorizontalFlip, RandomResizedCrop

    g, x = load_generator(home / "rgb"), torch.rand(6, 3, 32, 32)
    masks = torch.arange(32.0).expand(6, 1, 32, 32).contiguous()
    views = KorniaViews(home / "rgb")
    alone = AugmentationSequential(views, data_keys=["input", "mask"])
    y, m = alone(x, masks)
    assert torch.equal(m, masks)
    for a, b in zip(views.split(y), g(x), strict=True):
        close(a, b)
    chain = AugmentationSequential(
        RandomHorizontalFlip(p=1.0), views, RandomResizedCrop((16, 16)), data_keys=["input", "mask"]
    )
    y, m = chain(x, masks)
    assert y.shape == (6, 3, 16, 16) and m.shape == (6, 1, 16, 16)
    flipped = AugmentationSequential(RandomHorizontalFlip(p=1.0), views)(x)
    close(flipped, g.transform(x).flip(-1))
    mixed = KorniaViews(home / "rgb", p=0.5)(x.repeat(10, 1, 1, 1))
    learned_views, raw = g.transform(x).repeat(10, 1, 1, 1), (2 * x - 1).repeat(10, 1, 1, 1)
    kinds = [torch.allclose(a, b, atol=1e-6) for a, b in zip(mixed, learned_views, strict=True)]
    assert 15 < sum(kinds) < 45
    for one, learned_, a, b in zip(mixed, kinds, learned_views, raw, strict=True):
        close(one, a if learned_ else b)


def test_numpy_takes_what_cameras_give(home):
    g = load_generator(home / "raw12")
    levels = np.random.default_rng(0).integers(0, 4096, (3, 9, 7, 4))
    x = torch.from_numpy(levels).permute(0, 3, 1, 2).float()
    make = NumpyViews(home / "raw12")
    for kind in (np.uint16, np.int32, np.float32, np.float64):
        views = make(levels.astype(kind))
        assert [v.shape for v in views] == [(3, 9, 7, 2), (3, 9, 7, 1), (3, 9, 7, 1)]
        for v, expected in zip(views, g(x), strict=True):
            assert v.dtype == np.float32
            close(v, expected.permute(0, 2, 3, 1))
    sealed = levels.astype(np.uint16)
    sealed.setflags(write=False)  # as np.asarray of a PIL image
    assert all(np.array_equal(a, b) for a, b in zip(make(sealed), views, strict=True))
    single = make(levels[0].astype(np.uint16)[:, ::-1])  # negative strides, too
    close(single[1], g(x[:1].flip(-1))[1][0].permute(1, 2, 0))


@pytest.mark.slow
def test_numpy_takes_8_bits_through_the_table(tabled):
    g, image = load_generator(tabled), photograph(50, 60)
    views = NumpyViews(tabled)(image)
    computed = NumpyViews(tabled, table=False)(image)
    for a, b, v in zip(
        views,
        computed,
        g(torch.from_numpy(image / 255).float().permute(2, 0, 1)[None]),
        strict=True,
    ):
        close(a, b)
        close(a, v[0].permute(1, 2, 0))


def test_what_g_was_not_learned_on_is_refused(home):
    rgb, raw12 = (NumpyViews(home / name, table=False) for name in ("rgb", "raw12"))
    with refused("this generator takes float images within .0, 1. and uint8 ones, got uint16"):
        rgb(np.zeros((4, 4, 3), np.uint16))
    with refused(r"4 channels \(red, green, blue, infrared\), got 1 3 4 4"):
        raw12(np.zeros((4, 4, 3), np.uint16))
    for p in (0, 1):
        with refused(r"this generator takes values within \[0.0, 1.0\], got 0 to 1.5"):
            TorchvisionViews(home / "rgb", p=p, table=False)(
                torch.tensor([0, 1, 1.5]).view(3, 1, 1)
            )
    with refused(r"this generator takes values within \[0.0, 4095.0\], got 0 to 5000"):
        raw12(np.array([[[0, 1, 2, 5000]]], np.uint16))
    with refused("and uint8 ones, got bool"):
        rgb(np.zeros((4, 4, 3), bool))
    with refused("images: expected an array, h w c or n h w c, got \\(4, 4\\)"):
        rgb(np.zeros((4, 4)))
    with refused("images: expected an array, h w c or n h w c, got list"):
        rgb([[1]])
    make = TorchvisionViews(home / "rgb", table=False)
    for kind in (">u2", "<f4", ">f8"):
        views = raw12(np.full((2, 2, 4), 7, kind))
        assert np.array_equal(views[0], raw12(np.full((2, 2, 4), 7.0))[0]), kind
    with refused("images: expected an array of numbers, got object"):
        raw12(np.full((2, 2, 4), None))
    with refused("table: expected one of true, false, auto, got 'off'"):
        NumpyViews(home / "rgb", table="off")
    with refused("images: expected PIL images of mode RGB, got L; convert them"):
        make(Image.new("L", (4, 4)))


def test_no_training_code_is_imported(home):
    code = (
        "import sys\nfrom infomin.export.transforms import TorchvisionViews, NumpyViews\n"
        f"NumpyViews({str(home / 'rgb')!r}, table=False)\n"
        "ours = ('training', 'data', 'run', 'evaluation', 'encoders', 'losses', 'report')\n"
        "heavy = ('hydra', 'lightning_fabric', 'kornia', 'matplotlib')\n"
        "heavy += tuple(f'infomin.{name}' for name in ours)\n"
        "print([m for m in sys.modules if m.startswith(heavy)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_a_place_for_the_table_g_is_computed(home, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(table, "all_colors", lambda g: torch.zeros(1, 3))
    assert NumpyViews(home / "rgb")(photograph(4, 4))[0].shape == (4, 4, 1)
    with refused("this folder cannot be written"):
        NumpyViews(home / "rgb", table=True)


def test_a_generator_in_training_goes_on_with_it():
    g = ViewGenerator()
    NumpyViews(g, table=False)
    assert g.training and all(p.requires_grad for p in g.parameters())


def test_the_table_is_only_taken_where_it_can_be(home, monkeypatch):
    monkeypatch.setattr(table.ColorTable, "cached", lambda g: pytest.fail("no table for this"))
    NumpyViews(home / "raw12")
    KorniaViews(home / "rgb")
