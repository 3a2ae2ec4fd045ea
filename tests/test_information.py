"""Bounds, critics, known distributions and the held-out estimate."""

import math
from dataclasses import astuple

import pytest
import reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from refusal import refused

from infomin.core import rng
from infomin.information import (
    BilinearCritic,
    CosineCritic,
    JointCritic,
    SeparableCritic,
    clipped_donsker_varadhan,
    donsker_varadhan,
    estimate,
    i_nce,
    nwj,
)
from infomin.information.bounds import log_mean_exp
from infomin.information.known import (
    bent,
    channel,
    gaussians,
    heavy_tailed,
    mixture,
    sharp_noise,
)
from infomin.losses import infonce

seeds = st.integers(0, 1000)
BOUNDS = (i_nce, donsker_varadhan, nwj, clipped_donsker_varadhan)


def random_scores(k, scale, seed):
    return scale * torch.randn(k, k, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("k", "dtype"), [(2, torch.float64), (7, torch.float32), (128, torch.float32)]
)
def test_constant_scores_give_exactly_0(k, dtype):
    for bound in (i_nce, donsker_varadhan):
        for constant in (0.0, 3.0, -100.0, 0.1):
            assert bound(torch.full((k, k), constant, dtype=dtype)).item() == 0
    assert clipped_donsker_varadhan(torch.full((k, k), 3.0)).item() == 0
    assert nwj(torch.zeros(k, k)).item() == 0


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 20), st.floats(0, 50), seeds)
def test_i_nce_is_its_cap_minus_the_loss(k, scale, seed):
    scores = random_scores(k, scale, seed)
    assert i_nce(scores).item() == pytest.approx(math.log(k) - infonce(scores).item(), abs=1e-9)
    assert i_nce(scores) <= math.log(k) + 1e-12


def test_large_scores_in_single_precision_stay_below_the_cap_and_perfect_ones_reach_it():
    for scale in (1e2, 1e4, 1e6):
        for k in (3, 64):
            assert i_nce(scale * torch.eye(k, dtype=torch.float32)) <= math.log(k) + 1e-6
            far = scale + torch.randn(k, k, dtype=torch.float32)
            assert i_nce(far) <= math.log(k) + 1e-6
    assert i_nce(100 * torch.eye(64)).item() == pytest.approx(math.log(64), abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 9), st.floats(0, 5), seeds)
def test_bounds_equal_their_slow_references_and_are_ordered(k, scale, seed):
    scores = random_scores(k, scale, seed)
    assert donsker_varadhan(scores).item() == pytest.approx(reference.donsker_varadhan(scores))
    assert nwj(scores).item() == pytest.approx(reference.nwj(scores))
    assert nwj(scores) <= donsker_varadhan(scores) + 1e-9, "log x <= x - 1"
    free = clipped_donsker_varadhan(scores, clip=1e3)
    assert free.item() == pytest.approx(donsker_varadhan(scores).item(), abs=1e-9)


@pytest.mark.parametrize("bound", BOUNDS)
def test_bounds_are_symmetric_and_differentiable(bound):
    scores = torch.randn(5, 5, requires_grad=True)
    assert bound(scores).item() == pytest.approx(bound(scores.mT).item())
    assert torch.autograd.gradcheck(bound, (scores,))


def test_the_best_shift_turns_nwj_into_donsker_varadhan():
    scores = torch.randn(16, 16)
    off = scores[~torch.eye(16, dtype=torch.bool)]
    shifted = scores - log_mean_exp(off, 0)
    assert nwj(shifted).item() == pytest.approx(donsker_varadhan(scores).item())


@pytest.mark.parametrize("bound", BOUNDS)
def test_wrong_scores_are_refused(bound):
    with refused("scores: expected a square matrix, positives on its diagonal, got 3 x 4"):
        bound(torch.zeros(3, 4))
    with refused("scores: expected at least 2 pairs, got 1"):
        bound(torch.zeros(1, 1))
    for wrong in (float("nan"), float("inf")):
        scores = torch.zeros(4, 4)
        scores[2, 1] = wrong
        with refused("scores: expected finite numbers, got NaN or infinity among them"):
            bound(scores)
    with refused("clip: expected a number > 0, got 0"):
        clipped_donsker_varadhan(torch.zeros(2, 2), clip=0)


KNOWN = {
    "gaussians": gaussians(3, 1.5),
    "bent": bent(gaussians(3, 1.5)),
    "mixture": mixture(2, 0.9),
    "channel": channel(5, 0.2),
    "heavy-tailed": heavy_tailed(gaussians(3, 1.5)),
    "sharp": sharp_noise(1, 0.1),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_information_is_the_mean_log_ratio(name):
    known = KNOWN[name]
    x, y = known.sample(20_000, rng.generator(0, name))
    rows = [known.log_ratio(a, b).diagonal() for a, b in zip(x.split(50), y.split(50), strict=True)]
    log_ratio = torch.cat(rows)
    error = log_ratio.std().item() / len(log_ratio) ** 0.5
    assert log_ratio.mean().item() == pytest.approx(known.nats, abs=4 * error)
    assert error < 0.02


@pytest.mark.parametrize("name", KNOWN)
def test_the_density_ratio_of_independent_pairs_has_mean_1_for_every_x(name):
    known = KNOWN[name]
    x, y = known.sample(50_000, rng.generator(1, name))
    ratio = known.log_ratio(x[:20], y[20:]).exp()
    error = ratio.std(1) / ratio.shape[1] ** 0.5
    assert ((ratio.mean(1) - 1).abs() < 5 * error + 1e-9).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", KNOWN)
def test_bounds_reach_the_known_information_with_the_best_critic(name):
    known, bounds = KNOWN[name], (i_nce, donsker_varadhan, nwj)
    scores = [known.log_ratio(*known.sample(768, rng.generator(i, name))) for i in range(8)]
    for bound in bounds:
        mean = sum(bound(s).item() for s in scores) / 8
        assert mean == pytest.approx(known.nats, abs=0.08), bound


def test_invertible_maps_change_pairs_and_no_log_ratio():
    straight = gaussians(4, 2.0)
    x, y = straight.sample(6, rng.generator(0, "t"))
    u, v = bent(straight).sample(6, rng.generator(0, "t"))
    torch.testing.assert_close(bent(straight).log_ratio(u, v), straight.log_ratio(x, y))
    assert not torch.allclose(x, u) and not torch.allclose(y, v)


@pytest.mark.parametrize(
    ("make", "sizes"),
    [(CosineCritic, [0.5]), *((c, [3, 3]) for c in (BilinearCritic, SeparableCritic, JointCritic))],
)
def test_critics_score_every_pair_independently(make, sizes):
    critic = make(*sizes)
    x, y = torch.randn(4, 3), torch.randn(6, 3)
    scores = critic(x, y)
    assert scores.shape == (4, 6)
    for i, j in ((0, 0), (3, 5), (1, 4)):
        torch.testing.assert_close(critic(x[i : i + 1], y[j : j + 1])[0, 0], scores[i, j])
    if make is JointCritic:
        torch.testing.assert_close(scores[1, 4], critic.h(torch.cat([x[1], y[4]]))[0])


COSINE = CosineCritic(0.3).score


def unit(n, d):
    return torch.nn.functional.normalize(torch.randn(n, d), dim=1)


def test_the_estimate_is_the_mean_i_nce_of_its_groups():
    z1, z2 = unit(128, 4), unit(128, 4)
    result = estimate(z1, z2, COSINE, 32, rng.generator(0, "t"))
    order = torch.randperm(128, generator=rng.generator(0, "t"))
    groups = [i_nce(COSINE(z1[group], z2[group])).item() for group in order.split(32)]
    assert result.value == pytest.approx(sum(groups) / 4)
    assert result.images == 128 and result.cap == math.log(32)


def test_blocks_and_anchors_change_no_log_ratio(monkeypatch):
    z1, z2 = unit(96, 4), unit(96, 4)
    whole = estimate(z1, z2, COSINE, 48, rng.generator(0, "t"))
    monkeypatch.setattr("infomin.information.held_out._SCORES", 7 * 48)
    blocks = estimate(z1, z2, COSINE, 48, rng.generator(0, "t"))
    assert astuple(blocks) == pytest.approx(astuple(whole))
    few = estimate(z1, z2, COSINE, 48, rng.generator(0, "t"), anchors=10)
    order = torch.randperm(96, generator=rng.generator(0, "t"))
    ratios = []
    for group in order.split(48):
        scores = COSINE(z1[group], z2[group])
        both = scores.log_softmax(1).diagonal() + scores.log_softmax(0).diagonal()
        ratios.append(math.log(48) + both[:5] / 2)
    assert few.images == 10 and few.value == pytest.approx(torch.cat(ratios).mean().item())


def test_the_estimate_embeds_for_a_critic_and_not_for_a_score_function():
    x, y, critic = torch.randn(64, 3), torch.randn(64, 5), SeparableCritic(3, 5, 8, 1, 4)
    by_critic = estimate(x, y, critic, 16, rng.generator(0, "t"))
    embedded = critic.first(x), critic.second(y)
    assert by_critic == estimate(*embedded, critic.score, 16, rng.generator(0, "t"))


def test_the_estimate_of_independent_views_is_zero_and_of_equal_views_saturated():
    result = estimate(unit(512, 8), unit(512, 8), CosineCritic(0.5), 64, rng.generator(0, "t"))
    assert result.value < 0.02 and result.low <= result.value <= result.high
    assert not result.saturated
    z = unit(300, 64)
    result = estimate(z, z, CosineCritic(0.05), 64, rng.generator(0, "t"))
    assert result.saturated and result.images == 256 and result.cap == pytest.approx(math.log(64))
    assert str(result).endswith(", cap 4.16, saturated") and " nats, sampling interval " in str(
        result
    )
    assert result.format(bits=True).endswith(", cap 6.00, saturated")
    assert result.flags == ("saturated",)


def test_the_interval_covers_repeated_measurements():
    x = torch.randn(4096, 4)
    y = x + torch.randn(4096, 4)
    pieces = [
        estimate(a, b, COSINE, 64, rng.generator(i, "t"))
        for i, (a, b) in enumerate(zip(x.split(512), y.split(512), strict=True))
    ]
    middle = sum(p.value for p in pieces) / len(pieces)
    assert sum(p.low <= middle <= p.high for p in pieces) >= 6


def test_a_larger_k_lifts_the_cap():
    known = gaussians(2, 5.0)
    x, y = known.sample(2048, rng.generator(0, "t"))
    small, large = (estimate(x, y, known.log_ratio, k, rng.generator(0, "t")) for k in (32, 2048))
    assert small.saturated and small.value < math.log(32) < 4.5 < large.value < 5.1
    assert not large.saturated


def test_wrong_arguments_of_the_estimate_are_refused():
    z, generator = unit(10, 3), rng.generator(0, "t")
    with refused("k: expected 2 <= K <= 10 held-out images, got 11"):
        estimate(z, z, COSINE, 11, generator)
    with refused("k: expected 2 <= K <= 10 held-out images, got 1"):
        estimate(z, z, COSINE, 1, generator)
    with refused("anchors: expected at least 1, got 0"):
        estimate(z, z, COSINE, 5, generator, anchors=0)
    with refused("scores: expected finite numbers, got NaN or infinity among them"):
        estimate(z * float("nan"), z, COSINE, 5, generator)
