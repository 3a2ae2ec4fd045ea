"""Every entrance takes every real type of pixels, or refuses it by its name; gradients pass."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from generators import learned
from refusal import refused
from torch import nn

import infomin
from infomin import load_generator
from infomin.core.pixels import to_float, to_tensor
from infomin.export.cube import ColorCube
from infomin.export.formats.artifact import Program
from infomin.export.hub import HubGenerator
from infomin.export.transforms import KorniaViews, NumpyViews, TorchvisionViews
from infomin.models import build_encoders
from infomin.models.pretrained_encoder import PretrainedEncoder
from infomin.views import ChannelViews, LearnedViews
from infomin.views.color_table import ColorTable

pytestmark = pytest.mark.usefixtures("single")

FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
INTEGERS = [torch.uint8, torch.uint16, torch.uint32, torch.uint64]
INTEGERS += [torch.int8, torch.int16, torch.int32, torch.int64]
OTHERS = [torch.bool, torch.complex64]
RANGES = {(0, 1): [*FLOATS, torch.uint8], (-100, 4095): [*FLOATS, *INTEGERS]}
NET = {"name": "fourconv", "size": 6, "dim": 4, "widths": [4, 6], "pools": 1}


def encoder_of(views):
    encoders = build_encoders(view_channels=views.view_channels, seed=3, **NET)
    return PretrainedEncoder(views, encoders, NET).eval().requires_grad_(False)


def numpy_views(g):
    views = NumpyViews(g, table=False)
    return lambda x: [torch.from_numpy(v).movedim(-1, 1) for v in views(x.movedim(1, -1).numpy())]


def hub(g):
    again = HubGenerator(**g.architecture).eval().requires_grad_(False)
    again.load_state_dict(g.state_dict())
    return again


# what a user hands images to, made of a generator
ENTRANCES = {
    "generator": lambda g: g,
    "hub": hub,
    "raw": lambda g: g.raw,
    "volume": lambda g: g.log_abs_det_jacobian,
    "cube": lambda g: ColorCube.of(g, 5),
    "torchvision": lambda g: TorchvisionViews(g, table=False),
    "kornia": lambda g: KorniaViews(g),
    "numpy": numpy_views,
    "encoder": lambda g: encoder_of(LearnedViews(g)),
    "encoder of raw views": lambda g: encoder_of(ChannelViews(value_range=g.value_range)),
}
MODULES = [name for name in ENTRANCES if name not in ("raw", "volume", "numpy")]


def tensors(result):
    return list(result) if isinstance(result, tuple | list) else [result]


def numbers(value_range, dtype):
    """Images of a type within a range, and the same as float32."""
    whole = torch.tensor([0, 1, 2, 40, 90, 127, 5, 100, 17, 64, 33, 126]).view(1, 3, 2, 2)
    whole = torch.cat([whole, whole.flip(1)], 3)
    if value_range != (0, 1) or not dtype.is_floating_point:
        scale = 255 if value_range == (0, 1) else 1
        return whole.to(dtype), whole.float() / scale
    x = (whole / 128).to(dtype)  # exact in every type
    return x, x.float()


@pytest.mark.parametrize("value_range", RANGES)
@pytest.mark.parametrize("name", ENTRANCES)
def test_every_real_type_means_its_numbers(name, value_range):
    g = learned(color="ydbdr", value_range=value_range)
    entrance = ENTRANCES[name](g)
    for dtype in RANGES[value_range]:
        if name == "numpy" and dtype == torch.bfloat16:
            continue  # NumPy has none
        x, same = numbers(value_range, dtype)
        for y, expected in zip(tensors(entrance(x)), tensors(entrance(same)), strict=True):
            assert y.dtype == torch.float32 and torch.equal(y, expected), dtype


@pytest.mark.parametrize("value_range", RANGES)
@pytest.mark.parametrize("name", ENTRANCES)
def test_types_without_a_meaning_are_refused_by_name(name, value_range):
    entrance = ENTRANCES[name](learned(value_range=value_range))
    for dtype in {*INTEGERS, *OTHERS} - {*RANGES[value_range]}:
        with refused(str(dtype).removeprefix("torch.")):
            entrance(torch.zeros(1, 3, 2, 2).to(dtype))


def test_something_else_than_a_tensor_is_refused_by_name():
    with refused("images: g takes a tensor, got ndarray; torch.from_numpy.images. makes one"):
        to_float(np.zeros((1, 3, 2, 2)), (0, 1), "g")
    with refused("images: g takes a tensor, got list$"):
        to_float([1.0], (0, 1), "g")


# Arrays

ARRAYS = ["u1", "i1", ">u2", "<u2", ">i4", "<i8", ">u8", "<f2", ">f4", ">f8", "longdouble"]


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_of_every_type_byte_order_and_layout_keep_their_numbers(kind):
    values = np.arange(24).reshape(2, 3, 4)
    whole = values.astype(kind)
    sealed = whole.copy()
    sealed.setflags(write=False)
    layouts = [whole, sealed, np.asfortranarray(whole), whole[::-1][::-1], np.ma.array(whole)]
    for array in layouts:
        assert np.array_equal(to_tensor(array, "x").double().numpy(), values)
    assert np.array_equal(to_tensor(whole[:, ::-1, ::2], "x").double(), values[:, ::-1, ::2])


@pytest.mark.parametrize("kind", [complex, "U3", "M8[s]", object, [("a", "u1")]])
def test_arrays_of_no_numbers_are_refused_by_name(kind):
    with refused("x: expected an array of numbers, got "):
        to_tensor(np.zeros(3, kind), "x")


def test_a_mask_that_hides_values_is_refused():
    hidden = np.ma.masked_less(np.arange(12, dtype=np.uint8).reshape(2, 2, 3), 4)
    with refused("expected a value for each pixel, got a masked array that hides 4 of 12; fill"):
        to_tensor(hidden, "x")
    with refused("images: expected a value for each pixel"):
        NumpyViews(learned(), table=False)(hidden)
    with refused("train: 768 of 768 values are declared as no data; fill=VALUE replaces them"):
        infomin.from_torch(np.ma.masked_less(np.zeros((4, 3, 8, 8), np.uint8), 1))


@pytest.mark.parametrize("kind", [">i8", ">u2", "<i4", "u8", "i1"])
def test_labels_of_every_integer_type_and_byte_order_are_classes(kind):
    x, y = np.zeros((8, 3, 4, 4), np.uint8), (np.arange(8) % 2 + 3).astype(kind)
    for train in ((x, y), (x, np.ma.array(y)), list(zip(x, y, strict=True))):
        dataset = infomin.from_torch(train, train)
        assert dataset.classes == ("3", "4") and dataset.train.labels.tolist() == [0, 1] * 4
    hidden = (x, np.ma.masked_equal(y, 4))
    assert infomin.from_torch(hidden, hidden).train.labels.tolist() == [0, -1] * 4


# Modules around them

CONVERT = {
    "half": lambda m: m.half(),
    "bfloat16": lambda m: m.to(torch.bfloat16),
    "double": lambda m: m.double(),
    "and back": lambda m: m.half().float(),
    "type": lambda m: m.type(torch.float16),
    "device too": lambda m: m.to("cpu", torch.float16),
}


@pytest.mark.parametrize("how", CONVERT)
def test_g_is_float32_in_a_module_of_any_type(how):
    g, x = learned(), torch.rand(2, 3, 6, 6)
    parts = [g, TorchvisionViews(g, table=False), KorniaViews(g), ColorCube.of(g, 5)]
    parts += [LearnedViews(g)]
    before = [tensors(part(x)) for part in parts]
    model = CONVERT[how](nn.ModuleList([*parts, nn.Linear(2, 2)]))
    for part, expected in zip(model, before, strict=False):
        for dtype in (torch.float32, torch.float64):
            views = tensors(part(x.to(dtype)))
            assert all(torch.equal(a, b) for a, b in zip(views, expected, strict=True)), part
    converted = {"half", "bfloat16", "double", "type", "device too"}
    assert (model[-1].weight.dtype != torch.float32) == (how in converted)


@pytest.mark.parametrize("views", ["learned", "raw"])
@pytest.mark.parametrize("how", CONVERT)
def test_an_encoder_of_any_type_takes_its_views(how, views):
    encoder = encoder_of(LearnedViews(learned()) if views == "learned" else ChannelViews())
    x = torch.rand(4, 3, 9, 9)
    expected = encoder(x)
    close = {"atol": 0.05 * expected.abs().max().item(), "rtol": 0}
    for dtype in (torch.float32, torch.float64, torch.float16):
        features = CONVERT[how](deepcopy(encoder))(x.to(dtype))
        assert features.dtype == torch.float32
        torch.testing.assert_close(features, expected, **close)


@pytest.mark.parametrize("name", MODULES)
def test_g_is_float32_under_autocast(name):
    entrance, x = ENTRANCES[name](learned()), torch.rand(2, 3, 6, 6)
    expected = tensors(entrance(x))
    with torch.autocast("cpu", torch.bfloat16):
        results = tensors(entrance(x))
    exact = "encoder" not in name
    for y, alone in zip(results, expected, strict=True):
        assert torch.equal(y, alone) if exact else torch.allclose(y, alone, atol=0.05)


@pytest.mark.parametrize("default", [torch.float16, torch.bfloat16])
def test_g_is_float32_whatever_torchs_default_type_is(tmp_path, default):
    g, x = learned(color="yiq"), torch.rand(2, 3, 6, 6)
    g.save(tmp_path / "g")
    torch.set_default_dtype(default)  # the fixture of all tests restores it
    again = load_generator(tmp_path / "g")
    assert all(torch.equal(a, b) for a, b in zip(again(x), g(x), strict=True))
    assert infomin.ViewGenerator()(x)[0].dtype == torch.float32


# Gradients


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", [*MODULES, "raw", "volume", "kornia, some", "program"])
def test_gradients_pass_to_images_and_not_to_weights(name, dtype):
    """The derivative along a direction is that of finite differences."""
    others = {"kornia, some": lambda g: KorniaViews(g, p=0.5), "program": Program}
    g = learned(std=0.3)
    entrance = {**ENTRANCES, **others}[name](g)
    if name == "program" and dtype != torch.float32:
        pytest.skip("a program has one type")
    x = (0.2 + 0.6 * torch.rand(3, 3, 6, 6)).to(dtype).requires_grad_()
    direction = torch.randn_like(x)

    def total(images):
        torch.manual_seed(1)
        results = [y.double() for y in tensors(entrance(images))]
        return sum((y * torch.linspace(-1, 1, y.numel()).view(y.shape)).sum() for y in results)

    (gradient,) = torch.autograd.grad(total(x), x)
    assert gradient.dtype == dtype and gradient.abs().sum() > 0
    with torch.no_grad():
        step = 1e-3
        difference = (total(x + step * direction) - total(x - step * direction)) / (2 * step)
    slope = (gradient * direction).sum()
    kinks = 0.1 if name == "encoder" else 0.03
    assert slope.item() == pytest.approx(difference.item(), rel=kinks, abs=0.02)
    assert all(p.grad is None for p in g.parameters())


def test_a_table_of_colours_keeps_its_type_and_refuses_to_stop_a_gradient():
    table = nn.Sequential(ColorTable(learned(), torch.zeros(3 * 2**24))).half()
    x = torch.rand(1, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    with refused("images: a table of colours passes no gradient"):
        table(x)
    assert table(x.detach())[0].dtype == torch.float32


# Embeddings


def test_info_nce_is_float32_at_least():
    z1, z2 = torch.randn(6, 4), torch.randn(6, 4)
    expected = infomin.info_nce(z1, z2)
    assert infomin.info_nce(z1.double(), z2).dtype == torch.float64
    assert infomin.info_nce(z1, z2.double()).item() == pytest.approx(expected.item(), abs=1e-6)
    for half in (torch.float16, torch.bfloat16):
        rounded = infomin.info_nce(z1.to(half), z2.to(half))
        assert torch.equal(rounded, infomin.info_nce(z1.to(half).float(), z2.to(half).float()))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(infomin.info_nce(z1, z2), expected)


@pytest.mark.parametrize("wrong", [torch.ones(4, 2, dtype=torch.int64), np.ones((4, 2)), None])
def test_info_nce_refuses_other_embeddings_by_name(wrong, monkeypatch):
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    got = "torch.int64" if isinstance(wrong, torch.Tensor) else type(wrong).__name__
    with refused(f"z2: expected a float tensor of embeddings, got {got}"):
        infomin.info_nce(torch.rand(4, 2), wrong)
