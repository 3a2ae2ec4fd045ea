"""One positive against sampled negatives: references, closed forms, gradients; pairs of views."""

import math

import pytest
import reference
import torch
from infomin.methods.objectives.contrasts import build_contrast
from refusal import refused

from infomin.losses import (
    apart,
    cosine_scores,
    estimated_log_z,
    infonce,
    infonce_in_blocks,
    logistic,
    matched,
    pair_scores,
    pairs,
    sides,
    softmax,
    total,
    triplet,
    ways,
    weights_of,
)

B, M, N = 5, 7, 100


def scores(scale=3.0):
    return scale * torch.randn(B), scale * torch.randn(B, M)


def test_softmax_equals_its_slow_reference():
    drawn = scores()
    assert softmax(*drawn).item() == pytest.approx(reference.sampled_softmax(*drawn), abs=1e-12)


def test_logistic_equals_its_slow_reference():
    drawn, log_z = scores(), torch.tensor(5.0)
    expected = reference.logistic(*drawn, math.exp(5.0), N)
    assert logistic(*drawn, log_z, N).item() == pytest.approx(expected, abs=1e-12)


def test_alike_scores_have_closed_forms():
    """Identical embeddings: nothing tells the positive from the others."""
    same, others = torch.full((B,), 2.0), torch.full((B, M), 2.0)
    assert softmax(same, others).item() == pytest.approx(math.log(M + 1), abs=1e-12)
    assert triplet(same, others, 0.2).item() == pytest.approx(0.2, abs=1e-12)
    log_z = estimated_log_z(others, N)
    assert log_z.item() == pytest.approx(math.log(N) + 2.0, abs=1e-12)
    # h = 1 / n, so that the odds are 1 to m for each of 1 + m draws
    expected = math.log(1 + M) + M * math.log((1 + M) / M)
    assert logistic(same, others, log_z, N).item() == pytest.approx(expected, abs=1e-12)


def test_orthogonal_embeddings_have_closed_forms():
    """The positive is the same vector, negatives are orthogonal: scores 1 / tau and 0."""
    t = 0.1
    positive, negatives = torch.full((B,), 1 / t), torch.zeros(B, M)
    expected = math.log(1 + M * math.exp(-1 / t))
    assert softmax(positive, negatives).item() == pytest.approx(expected, abs=1e-12)
    assert triplet(t * positive, t * negatives, 0.2).item() == 0
    assert triplet(t * positive, t * negatives, 1.5).item() == pytest.approx(0.5, abs=1e-12)
    assert estimated_log_z(negatives, N).item() == pytest.approx(math.log(N), abs=1e-12)


def test_the_bound_log_k_minus_l_never_exceeds_log_k():
    for scale in (0.1, 3.0, 300.0):
        assert 0 <= softmax(*scores(scale)).item()
    assert softmax(torch.full((B,), 1e4), torch.zeros(B, M)).item() == 0


def test_a_softmax_over_the_rest_of_the_batch_is_infonce():
    z1, z2 = torch.randn(B, 3), torch.randn(B, 3)
    s = cosine_scores(z1, z2, 0.2)
    both = (softmax(*apart(s)) + softmax(*apart(s.mT))) / 2
    assert both.item() == pytest.approx(infonce(s).item(), abs=1e-12)
    positive, others = apart(s)
    for i in range(B):
        assert positive[i] == s[i, i] and [*others[i]] == [s[i, j] for j in range(B) if j != i]


def test_negatives_of_minus_infinity_are_none():
    positive, negatives = scores()
    more = torch.cat([negatives, torch.full((B, 3), -torch.inf)], 1)
    assert softmax(positive, more).item() == pytest.approx(softmax(positive, negatives).item())
    log_z = estimated_log_z(negatives, N)
    assert estimated_log_z(more, N).item() == pytest.approx(log_z.item(), abs=1e-12)
    fewer, expected = (logistic(positive, n, log_z, N).item() for n in (more, negatives))
    assert fewer == pytest.approx(expected, abs=1e-12)


def test_every_anchor_counts_its_own_negatives():
    positive, negatives = scores()
    negatives[0, 2:] = -torch.inf
    log_z = torch.tensor(5.0)
    parts = [logistic(positive[:1], negatives[:1, :2], log_z, N)]
    parts.append(logistic(positive[1:], negatives[1:], log_z, N))
    together = (parts[0] + (B - 1) * parts[1]) / B
    assert logistic(positive, negatives, log_z, N).item() == pytest.approx(together.item())


def test_logistic_takes_scores_of_any_size():
    for value in (1e4, -1e4):
        far = logistic(torch.full((B,), value), torch.full((B, M), -value), torch.tensor(0.0), N)
        assert far.isfinite()


@pytest.mark.parametrize(
    "loss",
    [softmax, lambda p, n: logistic(p, n, torch.tensor(1.0), N), lambda p, n: triplet(p, n, 0.7)],
    ids=["softmax", "logistic", "triplet"],
)
def test_gradcheck(loss):
    drawn = [s.requires_grad_() for s in scores(0.3)]
    assert torch.autograd.gradcheck(loss, drawn)


def test_a_contrast_needs_something_to_contrast():
    with refused("negatives: expected at least one for at least one anchor, got 0 for 5"):
        softmax(torch.zeros(B), torch.zeros(B, 0))
    with refused("scores: expected at least 2 pairs, got 1"):
        apart(torch.zeros(1, 1))


@pytest.mark.parametrize("loss", [apart, infonce, matched])
@pytest.mark.parametrize("shape", [(3, 4), (4, 3)])
def test_pairs_make_a_square(loss, shape):
    told = f"scores: expected a square matrix, .* got {shape[0]} x {shape[1]}"
    with refused(told):
        loss(torch.zeros(shape))


@pytest.mark.parametrize("temperature", [0.0, -0.1, math.nan])
def test_a_temperature_is_above_zero(temperature):
    z = torch.randn(B, 3)
    for made in (cosine_scores, lambda *told: infonce_in_blocks(*told, rows=2)):
        with refused("temperature: expected a number > 0, got"):
            made(z, z, temperature)
    with refused("temperature: expected a number > 0, got"):
        build_contrast("infonce", 2, N, temperature)


def test_the_graphs_of_views():
    assert pairs(3) == [(0, 1), (0, 2), (1, 2)] and pairs(3, "core") == [(0, 1), (0, 2)]
    assert pairs(2) == pairs(2, "core") == [(0, 1)]
    assert len(pairs(5)) == 10 and len(pairs(5, "core")) == 4
    assert pairs(3, "one_way") == pairs(3, "core") and pairs(3, "own") == [(0, 0)]
    assert ways((0, 2)) == ways((0, 2), "core") == [(0, 2), (2, 0)]
    assert ways((0, 2), "one_way") == [(0, 2)] and ways((0, 0), "own") == [(0, 0)]
    assert sides(3) == sides(3, "core") == ([0, 1, 2], [0, 1, 2])
    assert sides(3, "one_way") == ([0], [1, 2]) and sides(2, "own") == ([0], [0])
    with refused("views: a contrast needs at least 2, got 1"):
        pairs(1)
    with refused("graph: expected one of full, core, one_way, own, got 'ring'"):
        pairs(3, "ring")


def test_the_sum_over_pairs_of_views_is_weighted():
    z = [torch.randn(B, 3) for _ in range(3)]
    losses = [infonce(s) for s in pair_scores(z, 0.3)]
    plain, weighted = total(losses, weights_of(pairs(3), None)), total(losses, [2.0, 0.0, 0.5])
    assert plain.item() == pytest.approx(sum(x.item() for x in losses))
    assert weighted.item() == pytest.approx(2 * losses[0].item() + losses[2].item() / 2)


def test_weights_that_do_not_fit_are_told():
    told = r"pair_weights: expected 3 numbers, of the views 1-2, 1-3, 2-3, got \[1, 2\]"
    with refused(told):
        weights_of(pairs(3), [1, 2])
    for wrong in ([1, -1, 1], [0, 0, 0]):
        with refused("pair_weights: expected numbers >= 0, not all 0"):
            weights_of(pairs(3), wrong)
