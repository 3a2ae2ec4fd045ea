"""JigSaw patches are PyContrast's, each image's in its own order."""

import pytest
import torch
from einops import rearrange
from refusal import refused
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as tv

from infomin.augment import JigSaw
from infomin.core import rng


@pytest.mark.parametrize("channels", [1, 5])
def test_patches_are_those_of_torchvisions_crop(channels):
    images, jigsaw = torch.rand(4, channels, 30, 40), JigSaw(32)
    patches, params = jigsaw(images, rng.generator(0, "t"))
    assert patches.shape == (4, 9, channels, 9, 9) and jigsaw.cell == 12
    for i, image in enumerate(images):
        b = params.crop
        box = [int(v[i]) for v in (b.top, b.left, b.height, b.width)]
        square = tv.resized_crop(image, *box, [36, 36], antialias=True)
        square = tv.horizontal_flip(square) if b.flip[i] else square
        for k in range(9):
            row, column = divmod(int(params.cell[i, k]), 3)
            top, left = 12 * row + int(params.top[i, k]), 12 * column + int(params.left[i, k])
            expected = tv.crop(square, top, left, 9, 9)
            torch.testing.assert_close(patches[i, k], expected, atol=1e-10, rtol=0)


@pytest.mark.parametrize(("size", "cell", "piece"), [(224, 85, 64), (96, 36, 27), (1, 1, 1)])
def test_sizes_keep_the_proportion_of_the_papers_code(size, cell, piece):
    jigsaw = JigSaw(size)
    assert (jigsaw.cell, jigsaw.piece, jigsaw.square.size) == (cell, piece, 3 * cell)
    assert JigSaw(size, cell=7, piece=5).square.size == 21


def test_parameters_are_distributed_as_in_the_papers_code():
    from scipy.stats import chisquare, ks_2samp

    n, jigsaw = 4000, JigSaw(64)
    params = jigsaw.sample(n, 96, 96, rng.generator(0, "test"))
    crop, image = v2.RandomResizedCrop(72, (0.6, 1.0)), torch.zeros(3, 96, 96)
    names = ("top", "left", "height", "width")
    theirs = [[p[name] for name in names] for p in (crop.make_params([image]) for _ in range(n))]
    for name, other in zip(names, torch.tensor(theirs).mT, strict=True):
        assert ks_2samp(getattr(params.crop, name).numpy(), other.numpy()).pvalue > 1e-3
    for position in (params.top, params.left):
        counts = position.flatten().bincount()
        assert len(counts) == 24 - 18 + 1 and chisquare(counts.numpy()).pvalue > 1e-3
    assert (params.cell.sort(1).values == torch.arange(9)).all(), "every cell once"
    for k in (0, 4, 8):
        assert chisquare(params.cell[:, k].bincount(minlength=9).numpy()).pvalue > 1e-3
    assert len({tuple(row) for row in params.cell.tolist()}) > 0.98 * n, "orders differ"
    assert abs(params.crop.flip.double().mean() - 0.5) < 4 * (0.25 / n) ** 0.5


def test_the_same_stream_samples_the_same_and_a_slice_gets_its_own():
    jigsaw = JigSaw(16)
    images = torch.randint(0, 256, (8, 3, 20, 24), dtype=torch.uint8)
    patches, params = jigsaw(images, rng.generator(0, "t"))
    assert patches.min() >= 0 and 0.5 < patches.max() <= 1
    assert torch.equal(jigsaw(images, rng.generator(0, "t"))[0], patches)
    assert not torch.equal(jigsaw(images, rng.generator(1, "t"))[0], patches)
    torch.testing.assert_close(jigsaw.apply(images[3:5], params[3:5]), patches[3:5])


def test_values_do_not_change():
    images = 1000 * torch.randn(2, 4, 12, 12)
    jigsaw = JigSaw(16, scale=(1, 1), flip=0, cell=4, piece=4)
    patches, params = jigsaw(images, rng.generator(0, "t"))
    cells = rearrange(images, "b c (r h) (k w) -> b (r k) c h w", r=3, k=3)
    for ours, order, expected in zip(patches, params.cell, cells, strict=True):
        torch.testing.assert_close(ours, expected[order], atol=1e-9, rtol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "jigsaw.size: expected a whole number of at least 1, got 0"),
        ({"size": 32, "piece": 13}, "jigsaw.piece: expected at most 12 pixels, .* cell, got 13"),
        ({"size": 32, "scale": (0, 1)}, "jigsaw.scale: expected 0 < low <= high <= 1, got .*"),
        ({"size": 32, "flip": 2}, "jigsaw.flip: expected a probability, got 2"),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    with refused(message):
        JigSaw(**options)


def test_images_too_small_for_the_grid_are_refused():
    message = "jigsaw: expected images of at least 27x27 pixels, for 3 x 3 patches of 9, got 40x26"
    with refused(f"{message}; set a larger data.size, or a smaller encoder.size"):
        JigSaw(32)(torch.rand(1, 3, 26, 40), rng.generator(0, "t"))
    JigSaw(32).check_size(27, 27)


def test_no_images_have_no_patches():
    patches, _ = JigSaw(32)(torch.rand(0, 2, 40, 40), torch.Generator())
    assert patches.shape == (0, 9, 2, 9, 9)
