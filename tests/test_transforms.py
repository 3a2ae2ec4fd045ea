"""Views inside pipelines of torchvision, lightly, kornia and NumPy, from a generator's folder."""

import pickle
import subprocess
import sys
from collections import OrderedDict, namedtuple
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from generators import float32, learned, photograph
from PIL import Image
from refusal import refused
from torch import nn
from torch.utils._pytree import tree_leaves
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

from infomin import ViewGenerator, load_generator
from infomin.export.transforms import KorniaViews, NumpyViews, TorchvisionViews
from infomin.views import color_table

pytestmark = pytest.mark.usefixtures("single")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The folders of an RGB generator and of one for four channels of 12 bits."""
    folder, names = tmp_path_factory.mktemp("generators"), ("red", "green", "blue", "infrared")
    with float32():
        learned().save(folder / "rgb")
        g = learned(4, groups=[[0, 1], [2], [3]], value_range=(0, 4095), channel_names=names)
        g.save(folder / "raw12")
    return folder


@pytest.fixture(scope="module")
def tabled(home, tmp_path_factory):
    """The folder of the RGB generator, and a cache for its table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield home / "rgb"


class Photographs(Dataset):
    """Crops of a photograph as PIL images, with labels."""

    def __init__(self, transform, n):
        self.transform, self.n = transform, n
        self.image = Image.fromarray(photograph(160, 200))

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        crop = self.image.crop((4 * i, 3 * i, 4 * i + 64, 3 * i + 64))
        return self.transform(crop), i


def close(a, b, atol=1e-6):
    torch.testing.assert_close(torch.as_tensor(a), torch.as_tensor(b), atol=atol, rtol=0)


@pytest.mark.slow
def test_every_kind_of_8_bit_image_is_taken(tabled):
    g, image = load_generator(tabled), photograph(40, 50)
    bytes_ = torch.from_numpy(image).permute(2, 0, 1)
    expected = g(bytes_[None] / 255)
    make = TorchvisionViews(tabled)
    kinds = [Image.fromarray(image), bytes_, bytes_ / 255, tv_tensors.Image(bytes_)]
    for kind in kinds:
        v1, v2_ = make(kind)
        assert type(v1) is tv_tensors.Image and v1.shape == (1, 40, 50) and v2_.shape[0] == 2
        close(v1.as_subclass(torch.Tensor), expected[0][0])
        close(v2_.as_subclass(torch.Tensor), expected[1][0])
    for views in (NumpyViews(tabled)(image), NumpyViews(tabled, table=False)(image)):
        for v, v_expected in zip(views, expected, strict=True):
            close(v, v_expected[0].permute(1, 2, 0))
    batch = make(bytes_[None].expand(2, -1, -1, -1))
    assert batch[1].shape == (2, 2, 40, 50)
    one = TorchvisionViews(tabled, view=1)(Image.fromarray(image))
    assert torch.equal(one, make(Image.fromarray(image))[1])
    sample = {
        "image": tv_tensors.Image(bytes_),
        "label": 7,
        "boxes": tv_tensors.BoundingBoxes([[1, 2, 9, 8]], format="XYXY", canvas_size=(40, 50)),
        "mask": tv_tensors.Mask(bytes_),
        "weights": torch.rand(3, 40, 50),
    }
    result = make(sample)
    assert len(result.pop("image")) == 2
    assert all(result[name] is sample[name] for name in result), "all else passes"


Sample = namedtuple("Sample", "image label")


@pytest.mark.parametrize(
    "pack",
    [
        lambda image: {"image": image, "label": 1, "mask": np.zeros((8, 8), np.uint8)},
        lambda image: {"a": [{"b": (image, "a word", None)}], "label": torch.tensor(3)},
        lambda image: OrderedDict(label=torch.tensor([1, 2]), image=image),
        lambda image: Sample(image, tv_tensors.Mask(torch.zeros(1, 8, 8))),
        lambda image: [image, torch.rand(1, 8, 8), 0.5],
        lambda image: {"x": image, "y": image},
    ],
)
@pytest.mark.parametrize("kind", ["picture", "image", "video", "tensor"])
def test_images_in_any_container_are_transformed_and_the_rest_passes(home, pack, kind):
    pixels = torch.from_numpy(photograph(8, 8)).movedim(-1, 0)
    clip = tv_tensors.Video(torch.stack([pixels, pixels.flip(-1), pixels.flip(-2)]))
    kinds = {"picture": Image.fromarray(photograph(8, 8)), "image": tv_tensors.Image(pixels)}
    image = {**kinds, "video": clip, "tensor": pixels}[kind]
    g, make = load_generator(home / "rgb"), TorchvisionViews(home / "rgb", table=False)
    sample = pack(image)
    if kind == "tensor" and sample == {"x": image, "y": image}:
        with refused("expected one plain tensor of 3 channels, got several; wrap images"):
            make(sample)
        return
    before, after = tree_leaves(sample), tree_leaves(make(sample), is_leaf=lambda x: x is None)
    container = tv_tensors.Video if kind == "video" else tv_tensors.Image
    expected = g(clip) if kind == "video" else [v[0] for v in g(pixels[None])]
    views = [x for x in after if type(x) is container]
    assert len(views) == 2 * sum(x is image for x in before)
    for i, view in enumerate(views):
        assert torch.equal(view.as_subclass(torch.Tensor), expected[i % 2])
    rest = [x for x in before if x is not image]
    assert all(any(x is y for y in after) for x in rest)


@pytest.mark.parametrize(
    ("sample", "got"),
    [
        (np.zeros((8, 8, 3), np.uint8), "got ndarray; torchvision's v2.ToImage.. makes an Image"),
        ({"image": np.zeros((8, 8, 3), np.uint8), "label": torch.tensor(1)}, "got ndarray, Tensor"),
        (torch.rand(8, 8), "got Tensor"),
        (tv_tensors.Mask(torch.zeros(3, 8, 8)), "got Mask"),
        (
            {"b": tv_tensors.BoundingBoxes([1, 2, 3, 4], format="XYXY", canvas_size=(8, 8))},
            "got BoundingBoxes",
        ),
        ({"path": "image.png"}, "got str"),
        (SimpleNamespace(image=torch.rand(3, 8, 8)), "got SimpleNamespace"),
        ([], "got none"),
    ],
)
def test_a_sample_without_an_image_is_refused_not_returned(home, sample, got):
    with refused(rf"images: expected a PIL image, a tensor c h w, .*, {got}"):
        TorchvisionViews(home / "rgb", table=False)(sample)


def test_numpy_takes_images_batches_and_videos(home):
    x = np.random.default_rng(0).random((2, 5, 4, 6, 3))
    make = NumpyViews(home / "rgb", table=False)
    views = make(x)
    assert [v.shape for v in views] == [(2, 5, 4, 6, 1), (2, 5, 4, 6, 2)]
    for i in (0, 1):
        assert np.array_equal(make(x[1])[i], views[i][1])
        assert np.array_equal(make(x[1, 2])[i], views[i][1, 2])


def test_torchvision_composes_before_and_after(home):
    g, image = load_generator(home / "rgb"), Image.fromarray(photograph(60, 60))
    float32 = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    make = TorchvisionViews(home / "rgb", table=False)
    crop = v2.Compose([v2.RandomCrop(32), v2.RandomHorizontalFlip()])
    torch.manual_seed(3)
    before = v2.Compose([*float32, crop, make])(image)
    torch.manual_seed(3)
    after = v2.Compose([*float32, make, crop])(image)
    for a, b in zip(before, after, strict=True):  # g is pixel-wise: it commutes with geometry
        close(a, b)
    assert not torch.equal(g(v2.Compose(float32)(image)[None])[0][0, :, :32, :32], before[0])
    normal = v2.Compose([*float32, make, v2.Normalize([0.5], [2.0])])
    close(normal(image)[0], (v2.Compose([*float32, make])(image)[0] - 0.5) / 2)


@pytest.mark.slow
def test_it_travels_to_workers_without_its_table(tabled):
    transform = v2.Compose([v2.CenterCrop(48), TorchvisionViews(tabled)])
    assert len(pickle.dumps(transform)) < 100_000
    sent = pickle.loads(pickle.dumps(transform))
    assert sent.transforms[1].views.table is not None, "mapped again"
    alone, forked, spawned = (
        DataLoader(Photographs(t, n=8), batch_size=4, num_workers=workers)
        for t, workers in ((transform, 0), (transform, 2), (sent, 0))
    )
    for loader in (forked, spawned):
        for (views, labels), (expected, same) in zip(loader, alone, strict=True):
            assert torch.equal(labels, same)
            assert all(torch.equal(a, b) for a, b in zip(views, expected, strict=True))


def test_probability_and_chosen_views(home):
    g, x = load_generator(home / "rgb"), torch.rand(3, 20, 20)
    learned_views, raw = g(x[None]), (2 * x - 1)[None].split([1, 2], dim=1)
    assert not torch.allclose(learned_views[0], raw[0], atol=1e-2)
    never = TorchvisionViews(home / "rgb", p=0, table=False)(x)
    some = TorchvisionViews(home / "rgb", learned=[1], table=False)(x)
    for i in (0, 1):
        close(never[i], raw[i][0])
        close(some[i], (learned_views if i == 1 else raw)[i][0])
    half = TorchvisionViews(home / "rgb", view=0, p=0.5, table=False)
    kinds = [torch.allclose(half(x), learned_views[0][0], atol=1e-6) for _ in range(60)]
    assert 15 < sum(kinds) < 45


@pytest.mark.slow
def test_lightly_trains_simclr_on_learned_views(tabled):
    from lightly.loss import NTXentLoss
    from lightly.models.modules import SimCLRProjectionHead
    from lightly.transforms.multi_view_transform import MultiViewTransform

    crop = v2.RandomResizedCrop(24, scale=(0.5, 1))
    transform = MultiViewTransform(
        [v2.Compose([crop, TorchvisionViews(tabled, view=i)]) for i in (0, 1)]
    )
    loader = DataLoader(Photographs(transform, n=32), batch_size=16, shuffle=True, drop_last=True)
    networks = nn.ModuleList(
        nn.Sequential(
            *(nn.Conv2d(channels, 16, 3, 2), nn.BatchNorm2d(16), nn.ReLU()),
            *(nn.Conv2d(16, 32, 3, 2), nn.BatchNorm2d(32), nn.ReLU()),
            *(nn.AdaptiveAvgPool2d(2), nn.Flatten(), SimCLRProjectionHead(128, 128, 32)),
        )
        for channels in (1, 2)
    )
    criterion, optimizer = NTXentLoss(), torch.optim.Adam(networks.parameters(), lr=3e-3)
    losses = []
    for _ in range(8):
        for views, _ in loader:
            loss = criterion(*(net(v) for net, v in zip(networks, views, strict=True)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert sum(losses[-4:]) / 4 < sum(losses[:4]) / 4 - 0.2


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
    for kind in (np.uint16, np.int32, np.float32, np.float64, ">u2", ">f8"):
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


def test_what_g_was_not_learned_on_is_refused(home):
    rgb, raw12 = (NumpyViews(home / name, table=False) for name in ("rgb", "raw12"))
    with refused("this generator takes float images within .0, 1. and uint8 ones, got uint16"):
        rgb(np.zeros((4, 4, 3), np.uint16))
    with refused("and uint8 ones, got bool"):
        rgb(np.zeros((4, 4, 3), bool))
    with refused(r"4 channels \(red, green, blue, infrared\), got 1 3 4 4"):
        raw12(np.zeros((4, 4, 3), np.uint16))
    with refused(r"this generator takes values within \[0.0, 4095.0\], got 0 to 5000"):
        raw12(np.array([[[0, 1, 2, 5000]]], np.uint16))
    for p in (0, 1):
        with refused(r"this generator takes values within \[0.0, 1.0\], got 0 to 1.5"):
            TorchvisionViews(home / "rgb", p=p, table=False)(
                torch.tensor([0, 1, 1.5]).view(3, 1, 1)
            )
    for wrong, got in ((np.zeros((4, 4)), r"\(4, 4\)"), ([[1]], "list")):
        with refused(f"images: expected an array, h w c or n h w c, got {got}"):
            rgb(wrong)
    with refused("images: expected an array of numbers, got object"):
        raw12(np.full((2, 2, 4), None))
    with refused("images: expected PIL images of mode RGB, got L; convert them"):
        TorchvisionViews(home / "rgb", table=False)(Image.new("L", (4, 4)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"table": "off"}, "table: expected one of true, false, auto, got 'off'"),
        ({"learned": [2]}, "learned: expected all, or views among .0, 1., got .2."),
        ({"view": 2}, "view: expected 0..1, got 2"),
        ({"p": 1.5}, "p: expected a probability, got 1.5"),
    ],
)
def test_wrong_options_are_refused(home, options, message):
    with refused(message):
        TorchvisionViews(home / "rgb", **{"table": False, **options})


@pytest.mark.slow
def test_no_training_code_is_imported(home):
    code = (
        "import sys\nfrom infomin.export.transforms import TorchvisionViews, NumpyViews\n"
        f"NumpyViews({str(home / 'rgb')!r}, table=False)\n"
        "ours = ('training', 'data', 'runs', 'evaluation', 'models', 'losses', 'methods', 'cli')\n"
        "heavy = ('hydra', 'lightning_fabric', 'kornia', 'matplotlib')\n"
        "heavy += tuple(f'infomin.{name}' for name in ours)\n"
        "print([m for m in sys.modules if m.startswith(heavy)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_a_place_for_the_table_g_is_computed(home, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(color_table, "all_colors", lambda g: torch.zeros(1, 3))
    assert NumpyViews(home / "rgb")(photograph(4, 4))[0].shape == (4, 4, 1)
    with refused("this folder cannot be written"):
        NumpyViews(home / "rgb", table=True)


def test_a_generator_in_training_goes_on_with_it():
    g = ViewGenerator()
    NumpyViews(g, table=False)
    assert g.training and all(p.requires_grad for p in g.parameters())


def test_the_table_is_only_taken_where_it_can_be(home, monkeypatch):
    monkeypatch.setattr(color_table.ColorTable, "cached", lambda g: pytest.fail("no table"))
    NumpyViews(home / "raw12")
    KorniaViews(home / "rgb")
