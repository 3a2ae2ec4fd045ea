"""What RandAugment draws, and the order in which it is done."""

import numpy as np
import pytest
import torch
from drawn import eight_bits, plan

from infomin.augment import OPERATIONS, CropFlip, Pipeline, RandAugment
from infomin.augment.affine import MOTIONS
from infomin.augment.color_jitter import ColorJitter
from infomin.augment.operations import pixel_operations
from infomin.core import rng
from infomin.core.errors import InputError

FILL = (0.485, 0.456, 0.406)
PIXELS = [name for name in pixel_operations() if name != "identity"]


def test_the_lists_are_those_of_the_papers_code():
    infomin = set(OPERATIONS["infomin"])
    assert len(OPERATIONS["infomin"]) == len(infomin) == 15
    assert infomin == {*PIXELS, *MOTIONS}
    cmc = ("autocontrast", "identity", "rotate", "sharpness", "shear_x", "shear_y")
    assert {*OPERATIONS["cmc"]} == {*cmc, "translate_x", "translate_y"}
    assert len(OPERATIONS["cmc"]) == 8


def test_draws_are_distributed_as_in_the_papers_code():
    from scipy.stats import chisquare, kstest, norm

    n, change = 6000, RandAugment(n=2, m=5, std=1)
    drawn = change.sample(n, rng.generator(0, "test"))
    assert kstest(drawn.level[:, 0].numpy(), norm(5, 1).cdf).pvalue > 1e-3
    for place in (0, 1):
        counts = drawn.operation[:, place].bincount(minlength=15)
        assert len(counts) == 15 and chisquare(counts.numpy()).pvalue > 1e-3
    pairs = (15 * drawn.operation[:, 0] + drawn.operation[:, 1]).bincount(minlength=225)
    assert chisquare(pairs.numpy()).pvalue > 1e-3, "with replacement, and independent"
    for share, found in ((0.5, drawn.happens), (0.5, drawn.negative)):
        assert abs(found.double().mean() - share) < 4 * (share * (1 - share) / (2 * n)) ** 0.5

    ten = RandAugment(n=1).sample(n, rng.generator(0, "test")).level
    assert ten.max() == 10 and abs((ten == 10).double().mean() - 0.5) < 4 * (0.25 / n) ** 0.5
    below = (10 - ten[ten < 10]).numpy()
    assert kstest(below, "halfnorm", (0, 0.5)).pvalue > 1e-3
    low = RandAugment(m=0.5, std=2).sample(n, rng.generator(0, "test")).level
    assert low.min() == 0 and RandAugment(std=0).sample(9, rng.generator(0, "t")).level.min() == 10


def test_amounts_are_distributed_as_by_the_papers_code():
    """Rotations are measured on images: a sign, and the angle of a level cut off at 10."""
    from scipy.stats import ks_2samp

    n, change = 2000, RandAugment(["translate_x"], n=1, m=8, std=1, p=1, fill=0)
    ramp = torch.arange(40.0).expand(n, 1, 1, 40) / 40
    middle = change(ramp, rng.generator(0, "test"))[:, 0, 0, 19:21].mean(1)
    inside = middle > 0  # else moved so far that the middle shows the fill
    assert inside.all()
    moved = (40 * middle - 19.5).numpy()
    source = np.random.default_rng(0)
    level = np.clip(source.normal(8, 1, n), 0, 10)
    expected = 40 * 0.45 * level / 10 * np.where(source.random(n) > 0.5, -1, 1)
    assert ks_2samp(moved, expected).pvalue > 1e-3


def test_every_round_changes_what_the_one_before_made():
    images, change = torch.rand(64, 3, 12, 16), RandAugment(n=3, fill=FILL)
    drawn = change.sample(64, rng.generator(0, "t"))
    ours = change.apply(images, drawn)
    for i in range(64):
        x = images[i : i + 1]
        for place in range(3):
            if drawn.happens[i, place]:
                name = change.operations[drawn.operation[i, place]]
                at = plan([name], [drawn.level[i, place].item()], bool(drawn.negative[i, place]))
                x = RandAugment([name], n=1, fill=FILL).apply(x, at)
        torch.testing.assert_close(ours[i], x[0], atol=1e-12, rtol=0)


def test_the_same_stream_draws_the_same_and_a_part_gets_its_own():
    change, images = RandAugment(), torch.rand(32, 3, 12, 16)
    before, drawn = images.clone(), change.sample(32, rng.generator(0, "t"))
    whole = change.apply(images, drawn)
    assert torch.equal(images, before), "images that come in are left alone"
    assert torch.equal(change(images, rng.generator(0, "t")), whole)
    assert not torch.equal(change(images, rng.generator(1, "t")), whole)
    for part in (slice(0, 8), slice(8, 32), slice(5, 6)):
        alone = change.apply(images[part], drawn.part(part))
        torch.testing.assert_close(alone, whole[part], atol=1e-12, rtol=0)
    untouched = (whole == images).flatten(1).all(1)
    assert (untouched | drawn.happens.any(1)).all() and not untouched[drawn.happens.all(1)].all()


@pytest.mark.usefixtures("single")
def test_float32_is_as_good():
    change, images = RandAugment(fill=FILL), eight_bits(64) / 255
    drawn = change.sample(64, rng.generator(0, "t"))
    exact = change.apply(images.double(), drawn)
    ours = change.apply(images, drawn)
    assert ours.dtype == torch.float32
    off = (ours - exact).abs()
    # the border of a motion, and the nearest of 256 levels, can be decided the other way
    assert (off > 1e-4).double().mean() < 1e-3


def test_in_a_pipeline_it_comes_after_blur_and_before_grey():
    photometric = ColorJitter(0.8, 0.8, 0.8, 0.2, jitter=0.8, gray=0.5, blur=0.5, sigma=(0.5, 1))
    crop, change = CropFlip(12), RandAugment(["invert"], n=1, p=1)
    images = torch.randint(0, 256, (32, 3, 16, 20), dtype=torch.uint8)
    with_it, without = Pipeline(crop, photometric, change), Pipeline(crop, photometric)
    steps = with_it.sample(32, 16, 20, rng.generator(0, "t"))
    same = without.sample(32, 16, 20, rng.generator(0, "t"))
    for name in ("hue", "sigma", "gray", "order"):
        assert torch.equal(getattr(steps.changes, name), getattr(same.changes, name))
    assert torch.equal(steps.boxes.left, same.boxes.left)
    torch.testing.assert_close(with_it.apply(images, steps), 1 - without.apply(images, same))

    tinted = RandAugment(["translate_x"], n=1, p=1, fill=FILL)
    out = Pipeline(crop, photometric, tinted)(images, rng.generator(0, "t"))
    gray = (out[:, :1] == out).flatten(1).all(1)
    assert torch.equal(gray, steps.changes.gray), "the fill of grey samples is grey as well"
    part = with_it.apply(images[4:9], steps.part(slice(4, 9)))
    torch.testing.assert_close(part, with_it.apply(images, steps)[4:9], atol=1e-12, rtol=0)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_black_and_white_images_stay_within_the_range(value):
    images = torch.full((64, 3, 8, 8), value)
    out = RandAugment(n=4, p=1)(images, rng.generator(0, "t"))
    assert out.isfinite().all() and out.min() >= 0 and out.max() <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"operations": "all"}, "randaugment.operations: expected one of infomin, cmc, got 'all'"),
        ({"operations": ["flip"]}, "randaugment.operations: expected one of rotate, .*'flip'"),
        ({"operations": []}, "randaugment.operations: expected at least one, got none"),
        ({"n": 0}, "randaugment.n: expected a whole number of at least 1, got 0"),
        ({"m": 11}, r"randaugment.m: expected a magnitude within \[0, 10\], got 11"),
        ({"std": -1}, "randaugment.std: expected at least 0, got -1"),
        ({"p": 1.5}, "randaugment.p: expected a probability, got 1.5"),
        ({"fill": 124}, r"randaugment.fill: expected numbers within \[0, 1\], got 124"),
        ({"fill": []}, r"randaugment.fill: expected numbers within \[0, 1\], got \[\]"),
    ],
)
def test_wrong_arguments_are_told(options, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        RandAugment(**options)


def test_images_that_do_not_fit_are_told():
    told = "randaugment: color needs 3 channels, R G B, got 4; set randaugment=cmc randaugment.fill"
    with pytest.raises(InputError, match=f"^{told}=0.5, or leave it out of randaugment.operations"):
        RandAugment(["color", "color", "rotate"]).fits(4)
    told = (
        "randaugment.fill: expected one number, or 4, one a channel, got .*; set randaugment.fill"
    )
    with pytest.raises(InputError, match=f"^{told}=0.5$"):
        RandAugment("cmc", fill=FILL)(torch.rand(2, 4, 8, 8), rng.generator(0, "t"))
    RandAugment("cmc").fits(4)
