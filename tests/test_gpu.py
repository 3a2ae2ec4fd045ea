"""On a GPU, where there is one: what is drawn is the same as on a CPU, and so are the pixels."""

import pytest
import torch

from infomin import ViewGenerator
from infomin.augment import CropFlip, JigSaw, Pipeline, RandAugment
from infomin.augment.color_jitter import ColorJitter
from infomin.core import rng
from infomin.views import CombinedViews

pytestmark = [
    pytest.mark.usefixtures("single"),
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"),
]
STRONG = ColorJitter(0.8, 0.8, 0.8, 0.2, jitter=0.8, gray=0.2, blur=0.5)
AUGMENTS = {
    "crop": CropFlip(24, (0.2, 1.0)),
    "colours": Pipeline(CropFlip(24, (0.2, 1.0)), STRONG),
    "all": Pipeline(CropFlip(24, (0.2, 1.0)), STRONG, RandAugment()),
    "puzzle": JigSaw(24),
}


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("name", AUGMENTS)
def test_augmentation_is_that_of_a_cpu(name, dtype):
    images = torch.randint(0, 256, (64, 3, 32, 32), dtype=torch.uint8)
    images = images if dtype == torch.uint8 else images / 255
    augment = AUGMENTS[name]
    drawn = augment.sample(64, 32, 32, rng.generator(0, "test"))
    expected, ours = augment.apply(images, drawn), augment.apply(images.cuda(), drawn)
    assert ours.device.type == "cuda"
    # levels of 256 are rounded, and a last digit can decide which one is the nearest
    off = (ours.cpu() - expected).abs().flatten()
    assert off.quantile(0.99) < 1e-4 and off.mean() < 1e-3


def test_combined_views_are_those_of_a_cpu():
    g = ViewGenerator(flow={"hidden": 8}).requires_grad_(False)
    views = CombinedViews(g, 0.5, photometric=STRONG, randaugment=RandAugment())
    crops = [torch.rand(64, 3, 24, 24) for _ in g.groups]
    drawn = views.sample(64, rng.generator(0, "test"))
    expected = views(*crops, drawn=drawn)
    theirs = views.cuda()(*(x.cuda() for x in crops), drawn=drawn)
    for ours, of_cpu in zip(theirs, expected, strict=True):
        torch.testing.assert_close(ours.cpu(), of_cpu, atol=1e-4, rtol=1e-4)
