"""On a GPU, parameters are the same as on a CPU, and so are the pixels."""

import pytest
import torch

from infomin import ViewGenerator
from infomin.augment import ColorJitter, CropFlip, JigSaw, Pipeline, RandAugment
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
    "jigsaw": JigSaw(24),
}


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("name", AUGMENTS)
def test_augmentation_is_that_of_a_cpu(name, dtype):
    images = torch.randint(0, 256, (64, 3, 32, 32), dtype=torch.uint8)
    images = images if dtype == torch.uint8 else images / 255
    augment = AUGMENTS[name]
    params = augment.sample(64, 32, 32, rng.generator(0, "test"))
    expected, ours = augment.apply(images, params), augment.apply(images.cuda(), params)
    assert ours.device.type == "cuda"
    # rounding can decide the nearest of 256 levels the other way
    error = (ours.cpu() - expected).abs().flatten()
    assert error.quantile(0.99) < 1e-4 and error.mean() < 1e-3


def test_combined_views_are_those_of_a_cpu():
    g = ViewGenerator(flow={"hidden": 8}).requires_grad_(False)
    views = CombinedViews(g, 0.5, photometric=STRONG, randaugment=RandAugment())
    crops = [torch.rand(64, 3, 24, 24) for _ in g.groups]
    params = views.sample(64, rng.generator(0, "test"))
    expected = views(*crops, params=params)
    on_gpu = views.cuda()(*(x.cuda() for x in crops), params=params)
    for ours, of_cpu in zip(on_gpu, expected, strict=True):
        torch.testing.assert_close(ours.cpu(), of_cpu, atol=1e-4, rtol=1e-4)
