"""RandAugment's sampling, and the order of its operations."""

import numpy as np
import pytest
import torch
from refusal import refused
from test_operations import eight_bits, fixed_params

from infomin.augment import ColorJitter, CropFlip, Pipeline, RandAugment
from infomin.core import rng

FILL = (0.485, 0.456, 0.406)


def test_parameters_are_distributed_as_in_the_papers_code():
    from scipy.stats import chisquare, kstest, norm

    n, augment = 6000, RandAugment(n=2, m=5, std=1)
    params = augment.sample(n, rng.generator(0, "test"))
    assert kstest(params.level[:, 0].numpy(), norm(5, 1).cdf).pvalue > 1e-3
    for k in (0, 1):
        counts = params.operation[:, k].bincount(minlength=15)
        assert len(counts) == 15 and chisquare(counts.numpy()).pvalue > 1e-3
    pairs = (15 * params.operation[:, 0] + params.operation[:, 1]).bincount(minlength=225)
    assert chisquare(pairs.numpy()).pvalue > 1e-3, "with replacement, and independent"
    for p, sampled in ((0.5, params.happens), (0.5, params.negative)):
        assert abs(sampled.double().mean() - p) < 4 * (p * (1 - p) / (2 * n)) ** 0.5

    ten = RandAugment(n=1).sample(n, rng.generator(0, "test")).level
    assert ten.max() == 10 and abs((ten == 10).double().mean() - 0.5) < 4 * (0.25 / n) ** 0.5
    below = (10 - ten[ten < 10]).numpy()
    assert kstest(below, "halfnorm", (0, 0.5)).pvalue > 1e-3
    low = RandAugment(m=0.5, std=2).sample(n, rng.generator(0, "test")).level
    assert low.min() == 0 and RandAugment(std=0).sample(9, rng.generator(0, "t")).level.min() == 10


def test_amounts_are_distributed_as_by_the_papers_code():
    """Translations are measured on images: a sign, and the shift of a level clipped to 10."""
    from scipy.stats import ks_2samp

    n, augment = 2000, RandAugment(["translate_x"], n=1, m=8, std=1, p=1, fill=0)
    ramp = torch.arange(40.0).expand(n, 1, 1, 40) / 40
    middle = augment(ramp, rng.generator(0, "test"))[:, 0, 0, 19:21].mean(1)
    assert (middle > 0).all(), "the middle never shows the fill"
    shift = (40 * middle - 19.5).numpy()
    source = np.random.default_rng(0)
    level = np.clip(source.normal(8, 1, n), 0, 10)
    expected = 40 * 0.45 * level / 10 * np.where(source.random(n) > 0.5, -1, 1)
    assert ks_2samp(shift, expected).pvalue > 1e-3


def test_every_round_changes_the_result_of_the_round_before():
    images, augment = torch.rand(32, 3, 12, 16), RandAugment(n=3, fill=FILL)
    params = augment.sample(32, rng.generator(0, "t"))
    ours = augment.apply(images, params)
    for i in range(32):
        x = images[i : i + 1]
        for k in range(3):
            if params.happens[i, k]:
                name = augment.operations[params.operation[i, k]]
                one = fixed_params([params.level[i, k].item()], bool(params.negative[i, k]))
                x = RandAugment([name], n=1, fill=FILL).apply(x, one)
        torch.testing.assert_close(ours[i], x[0], atol=1e-12, rtol=0)


def test_the_same_stream_samples_the_same_and_a_slice_gets_its_own():
    augment, images = RandAugment(), torch.rand(32, 3, 12, 16)
    before, params = images.clone(), augment.sample(32, rng.generator(0, "t"))
    whole = augment.apply(images, params)
    assert torch.equal(images, before), "inputs are not changed"
    assert torch.equal(augment(images, rng.generator(0, "t")), whole)
    assert not torch.equal(augment(images, rng.generator(1, "t")), whole)
    for index in (slice(0, 8), slice(8, 32), slice(5, 6)):
        alone = augment.apply(images[index], params[index])
        torch.testing.assert_close(alone, whole[index], atol=1e-12, rtol=0)
    untouched = (whole == images).flatten(1).all(1)
    assert (untouched | params.happens.any(1)).all()
    assert not untouched[params.happens.all(1)].all()


@pytest.mark.usefixtures("single")
def test_float32_is_as_good():
    augment, images = RandAugment(fill=FILL), eight_bits(64) / 255
    params = augment.sample(64, rng.generator(0, "t"))
    exact, ours = augment.apply(images.double(), params), augment.apply(images, params)
    assert ours.dtype == torch.float32
    error = (ours - exact).abs()
    # rounding can decide borders of transforms and nearest levels the other way
    assert (error > 1e-4).double().mean() < 1e-3


def test_in_a_pipeline_it_comes_after_blur_and_before_gray():
    photometric = ColorJitter(0.8, 0.8, 0.8, 0.2, jitter=0.8, gray=0.5, blur=0.5, sigma=(0.5, 1))
    crop, invert = CropFlip(12), RandAugment(["invert"], n=1, p=1)
    images = torch.randint(0, 256, (32, 3, 16, 20), dtype=torch.uint8)
    with_it, without = Pipeline(crop, photometric, invert), Pipeline(crop, photometric)
    params = with_it.sample(32, 16, 20, rng.generator(0, "t"))
    same = without.sample(32, 16, 20, rng.generator(0, "t"))
    for name in ("hue", "sigma", "gray", "order"):
        assert torch.equal(getattr(params.photometric, name), getattr(same.photometric, name))
    assert torch.equal(params.crop.left, same.crop.left)
    torch.testing.assert_close(with_it.apply(images, params), 1 - without.apply(images, same))

    tinted = RandAugment(["translate_x"], n=1, p=1, fill=FILL)
    out = Pipeline(crop, photometric, tinted)(images, rng.generator(0, "t"))
    gray = (out[:, :1] == out).flatten(1).all(1)
    assert torch.equal(gray, params.photometric.gray), "the fill of grey samples is grey as well"
    part = with_it.apply(images[4:9], params[4:9])
    torch.testing.assert_close(part, with_it.apply(images, params)[4:9], atol=1e-12, rtol=0)


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
        ({"p": 1.5}, "randaugment.p: expected a probability, got 1.5"),
        ({"fill": 124}, r"randaugment.fill: expected numbers within \[0, 1\], got 124"),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    with refused(message):
        RandAugment(**options)


def test_channels_that_do_not_fit_are_refused():
    message = "randaugment: color needs 3 channels, R G B, got 4; set randaugment=cmc randaugment"
    with refused(f"{message}.fill=0.5, or leave it out of randaugment.operations"):
        RandAugment(["color", "color", "rotate"]).check_channels(4)
    message = "randaugment.fill: expected one number, or 4, one per channel, got .*; set "
    with refused(f"{message}randaugment.fill=0.5"):
        RandAugment("cmc", fill=FILL)(torch.rand(2, 4, 8, 8), rng.generator(0, "t"))
    RandAugment("cmc").check_channels(4)
