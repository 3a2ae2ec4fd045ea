"""Views inside the pipelines of torchvision and lightly, from a generator's folder."""

import pickle

import pytest
import torch
from generators import photograph
from PIL import Image
from refusal import refused
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

from infomin import load_generator
from infomin.export.transforms import TorchvisionViews

pytestmark = pytest.mark.usefixtures("single")


class Photographs(Dataset):
    """Crops of a photograph as PIL images, with labels."""

    def __init__(self, transform, n=24):
        self.transform, self.n = transform, n
        self.image = Image.fromarray(photograph(160, 200))

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        crop = self.image.crop((5 * i, 3 * i, 5 * i + 64, 3 * i + 64))
        return self.transform(crop), i


def close(a, b, atol=1e-6):
    torch.testing.assert_close(torch.as_tensor(a), torch.as_tensor(b), atol=atol, rtol=0)


@pytest.mark.slow
def test_torchvision_takes_every_kind_of_image(tabled):
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
@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_it_travels_to_workers_without_its_table(tabled, context):
    transform = v2.Compose([v2.CenterCrop(48), TorchvisionViews(tabled)])
    assert len(pickle.dumps(transform)) < 100_000
    data = Photographs(transform, n=8)
    workers = DataLoader(data, batch_size=4, num_workers=2, multiprocessing_context=context)
    alone = DataLoader(data, batch_size=4)
    for (views, labels), (expected, same) in zip(workers, alone, strict=True):
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
    with refused("learned: expected all, or views among .0, 1., got .2."):
        TorchvisionViews(home / "rgb", learned=[2])
    with refused("view: expected 0..1, got 2"):
        TorchvisionViews(home / "rgb", view=2)
    with refused("p: expected a probability, got 1.5"):
        TorchvisionViews(home / "rgb", p=1.5)


def adapted(channels):
    """ResNet-18 for other than three channels and small images."""
    from torchvision.models import resnet18

    net = resnet18()
    net.conv1 = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
    net.maxpool = nn.Identity()
    net.fc = nn.Identity()
    return net


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
    encoders = nn.ModuleList(adapted(channels) for channels in (1, 2))
    heads = nn.ModuleList(SimCLRProjectionHead(512, 128, 32) for _ in encoders)
    criterion = NTXentLoss()
    optimizer = torch.optim.SGD([*encoders.parameters(), *heads.parameters()], lr=0.06)
    losses = []
    for _ in range(8):
        for views, _ in loader:
            z0, z1 = (
                head(encoder(v)) for head, encoder, v in zip(heads, encoders, views, strict=True)
            )
            loss = criterion(z0, z1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert sum(losses[-4:]) / 4 < sum(losses[:4]) / 4 - 0.2
