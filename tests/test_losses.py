"""InfoNCE, I_NCE and the held-out estimate: identities, references, known information."""

import math

import pytest
import reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from infomin import rng
from infomin.errors import InputError
from infomin.information import estimate, i_nce
from infomin.losses import cosine_scores, infonce, matched, pair_scores


@pytest.mark.parametrize("k", [2, 5, 16])
def test_infonce_equals_its_slow_reference(k):
    scores = torch.randn(k, k)
    assert infonce(scores).item() == pytest.approx(reference.infonce(scores), abs=1e-12)


@pytest.mark.parametrize("k", [2, 7, 128])
def test_constant_scores_share_exactly_nothing(k):
    for constant in (0.0, 3.0, -100.0):
        assert i_nce(torch.full((k, k), constant)).item() == pytest.approx(0, abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 20), st.floats(0, 50), st.integers(0, 1000))
def test_the_bound_never_exceeds_its_cap(k, scale, seed):
    scores = scale * torch.randn(k, k, generator=torch.Generator().manual_seed(seed))
    assert i_nce(scores) <= math.log(k) + 1e-12


def test_perfect_scores_reach_the_cap():
    assert i_nce(100 * torch.eye(64)).item() == pytest.approx(math.log(64), abs=1e-9)


def test_it_is_symmetric_and_ignores_what_all_scores_share():
    scores = torch.randn(9, 9)
    assert infonce(scores).item() == pytest.approx(infonce(scores.mT).item())
    assert infonce(scores + 5).item() == pytest.approx(infonce(scores).item())


def test_gradcheck():
    z1, z2 = (torch.randn(4, 3, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(lambda a, b: infonce(cosine_scores(a, b, 0.5)), (z1, z2))


def test_scores_are_cosines():
    z = torch.randn(5, 8)
    scores = cosine_scores(z, 3 * z, 0.1)
    torch.testing.assert_close(scores.diagonal(), torch.full((5,), 10.0))
    assert scores.abs().max() <= 10 + 1e-9


def test_pairs_of_views():
    z = [torch.randn(4, 3) for _ in range(4)]
    assert len(pair_scores(z, 0.1)) == 6
    torch.testing.assert_close(pair_scores(z[:2], 0.1)[0], cosine_scores(z[0], z[1], 0.1))


def test_matched():
    assert matched(torch.eye(4)) == 1
    assert matched(1 - torch.eye(4)) == 0


def test_one_sample_is_no_contrast():
    with pytest.raises(InputError, match="at least 2 samples, got 1"):
        infonce(torch.zeros(1, 1))


@pytest.mark.parametrize("rho", [0.5, 0.9])
def test_the_true_density_ratio_measures_gaussian_information(rho):
    """With the optimal critic log p(y|x)/p(y), I_NCE tends to I from below as K grows."""
    n, d = 512, 2
    x = torch.randn(40, n, d)
    y = rho * x + math.sqrt(1 - rho**2) * torch.randn(40, n, d)
    truth = reference.gaussian_information(rho, d)
    values = []
    for a, b in zip(x, y, strict=True):
        gap = (b[None] - rho * a[:, None]).square().sum(-1) / (1 - rho**2)
        scores = (b.square().sum(-1)[None] - gap) / 2
        values.append(i_nce(scores).item())
    mean = sum(values) / len(values)
    assert mean == pytest.approx(truth, abs=0.1)
    assert mean < truth + 0.05


def unit(n, d):
    return torch.nn.functional.normalize(torch.randn(n, d), dim=1)


def test_the_estimate_of_independent_views_is_not_above_zero():
    found = estimate(unit(512, 8), unit(512, 8), 0.5, 64, rng.generator(0, "t"))
    assert found.value < 0.02 and found.low <= found.value <= found.high and not found.saturated


def test_the_estimate_of_equal_views_is_saturated():
    z = unit(300, 64)
    found = estimate(z, z, 0.05, 64, rng.generator(0, "t"))
    assert found.saturated and found.images == 256 and found.cap == pytest.approx(math.log(64))
    assert "saturated" in str(found)


def test_the_interval_covers_repeated_measurements():
    x = torch.randn(4096, 4)
    y = x + torch.randn(4096, 4)
    pieces = [
        estimate(a, b, 0.3, 64, rng.generator(i, "t"))
        for i, (a, b) in enumerate(zip(x.split(512), y.split(512), strict=True))
    ]
    middle = sum(p.value for p in pieces) / len(pieces)
    assert sum(p.low <= middle <= p.high for p in pieces) >= 6


def test_wrong_k_is_told():
    with pytest.raises(InputError, match="k: expected 2 <= K <= 10 held-out images, got 11"):
        estimate(unit(10, 3), unit(10, 3), 0.1, 11, rng.generator(0, "t"))
