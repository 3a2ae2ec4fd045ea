"""Frequency bands: they add up, they are a Gaussian's, and each holds its own frequencies."""

from math import ceil, pi

import pytest
import torch
from kornia.filters import gaussian_blur2d
from refusal import refused

from infomin.views import FrequencyViews

SIGMAS = [0.3, 1.0, 20.0]


@pytest.mark.parametrize("sigma", SIGMAS)
def test_the_bands_of_one_crop_add_up_to_it(sigma):
    x = torch.rand(3, 3, 12, 17)
    low, high = FrequencyViews(sigma).split(x)
    torch.testing.assert_close(low + high, 2 * x - 1, rtol=0, atol=1e-15)
    wide = FrequencyViews(sigma, value_range=(0, 4095)).split(x * 4095)
    torch.testing.assert_close(wide, (low, high))


@pytest.mark.parametrize("sigma", SIGMAS)
def test_the_low_band_is_kornias_blur(sigma):
    x = torch.rand(2, 5, 12, 17)
    reach = [ceil(min(4 * sigma, side - 1)) for side in (12, 17)]
    expected = gaussian_blur2d(2 * x - 1, tuple(2 * r + 1 for r in reach), (sigma, sigma))
    low, _ = FrequencyViews(sigma, channels=5).split(x)
    torch.testing.assert_close(low, expected)


@pytest.mark.parametrize(("sigma", "period"), [(1.0, 8), (2.0, 8), (1.5, 16)])
def test_a_wave_loses_what_a_gaussian_takes_from_it(sigma, period):
    """The response of a Gaussian to a frequency w is exp(-(sigma w)^2 / 2)."""
    wave = torch.cos(2 * pi * torch.arange(64) / period)
    x = (wave.expand(1, 3, 64, 64) + 1) / 2
    low, high = FrequencyViews(sigma).split(x)
    inside = slice(16, -16)
    kept = torch.exp(torch.tensor(-((2 * pi * sigma / period) ** 2) / 2))
    expected = (kept * wave).expand(64, 64)[inside, inside]
    torch.testing.assert_close(low[0, 0, inside, inside], expected, atol=2e-3, rtol=0)
    assert (high[0, 0, inside, inside] - wave[inside] + expected).abs().max() < 2e-3


def test_a_flat_image_has_no_high_band_not_even_at_its_border():
    _, high = FrequencyViews(3.0).split(torch.full((1, 3, 16, 16), 0.9))
    assert high.abs().max() < 1e-12


def test_with_a_crop_a_view_each_band_is_of_its_own():
    x, y = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8)
    views = FrequencyViews(1.0)
    low, high = views(x, y)
    assert views.crops == 2 and FrequencyViews(1.0, crops="shared").crops == 1
    assert torch.equal(low, views.split(x)[0]) and torch.equal(high, views.split(y)[1])


@pytest.mark.parametrize("sigma", [0, float("nan")])
def test_a_sigma_that_is_none_is_refused(sigma):
    with refused(f"views.sigma: expected a number > 0, got {sigma!r}"):
        FrequencyViews(sigma)


@pytest.mark.usefixtures("single")
@pytest.mark.parametrize("sigma", [0.1, 1000.0])
def test_the_ends_of_sigma_are_those_of_blur(sigma):
    x = torch.rand(2, 3, 8, 8)
    low, high = FrequencyViews(sigma).split(x)
    if sigma < 1:
        assert high.abs().max() < 1e-6
    else:
        assert (low - low.mean((2, 3), keepdim=True)).abs().max() < 0.5 * high.abs().max()
    for beyond in (sigma / 2, sigma * 2):
        if not 0.1 <= beyond <= 1000:
            with refused(f"views.sigma: expected 0.1 to 1000.0 pixels, got {beyond}; less blurs"):
                FrequencyViews(beyond)
