"""Losses of scores: slow references, closed forms, gradients; graphs of views."""

import math

import pytest
import reference
import torch
from refusal import refused
from torch.nn import functional as F

from infomin.losses import (
    check_pair_weights,
    cosine_scores,
    directions,
    estimated_log_z,
    info_nce,
    infonce,
    infonce_in_blocks,
    logistic,
    pair_scores,
    softmax,
    split_positives,
    top1,
    triplet,
    view_pairs,
    weighted_sum,
)

B, M, N = 5, 7, 100
LOG_Z = torch.tensor(5.0)
K, D, TAU = 11, 5, 0.1


def sampled(scale=3.0):
    """Scores of positives and of negatives."""
    return scale * torch.randn(B), scale * torch.randn(B, M)


# InfoNCE of a batch


@pytest.mark.parametrize("k", [2, 5])
def test_infonce_equals_its_slow_reference_and_is_symmetric(k):
    scores = torch.randn(k, k)
    loss = infonce(scores).item()
    assert loss == pytest.approx(reference.infonce(scores), abs=1e-12)
    assert infonce(scores.mT).item() == pytest.approx(loss)
    assert infonce(scores + 5).item() == pytest.approx(loss)


def test_scores_are_cosines_over_the_temperature():
    z = torch.randn(B, 8)
    scores = cosine_scores(z, 3 * z, 0.1)
    torch.testing.assert_close(scores.diagonal(), torch.full((B,), 10.0))
    assert scores.abs().max() <= 10 + 1e-9
    for temperature in (0.0, -0.1, math.nan):
        with refused("temperature: expected a number > 0, got"):
            info_nce(z, z, temperature)


def test_top1_is_the_share_of_positives_that_score_highest():
    assert top1(torch.eye(4)) == 1
    assert top1(1 - torch.eye(4)) == 0


def test_the_softmax_over_the_rest_of_a_batch_is_infonce():
    scores = torch.randn(B, B)
    both = (softmax(*split_positives(scores)) + softmax(*split_positives(scores.mT))) / 2
    assert both.item() == pytest.approx(infonce(scores).item(), abs=1e-12)
    positive, negatives = split_positives(scores)
    for i in range(B):
        assert positive[i] == scores[i, i]
        assert [*negatives[i]] == [scores[i, j] for j in range(B) if j != i]


@pytest.mark.parametrize("loss", [split_positives, infonce, top1])
def test_scores_that_are_not_square_are_refused(loss):
    with refused("scores: expected a square matrix, .* got 3 x 4"):
        loss(torch.zeros(3, 4))
    with refused("scores: expected at least 2 pairs, got 1"):
        loss(torch.zeros(1, 1))


# One positive against sampled negatives


def test_sampled_losses_equal_their_slow_references():
    scores = sampled()
    assert softmax(*scores).item() == pytest.approx(reference.sampled_softmax(*scores), abs=1e-12)
    expected = reference.logistic(*scores, math.exp(LOG_Z), N)
    assert logistic(*scores, LOG_Z, N).item() == pytest.approx(expected, abs=1e-12)


def test_equal_scores_have_closed_forms():
    same, others = torch.full((B,), 2.0), torch.full((B, M), 2.0)
    assert softmax(same, others).item() == pytest.approx(math.log(M + 1), abs=1e-12)
    assert triplet(same, others, 0.2).item() == pytest.approx(0.2, abs=1e-12)
    log_z = estimated_log_z(same, others, N)
    assert log_z.item() == pytest.approx(math.log(N) + 2.0, abs=1e-12)
    # h = 1 / n, so that the odds are 1 to m for each of 1 + m draws
    expected = math.log(1 + M) + M * math.log((1 + M) / M)
    assert logistic(same, others, log_z, N).item() == pytest.approx(expected, abs=1e-12)


def test_z_counts_positives_as_in_the_authors_code():
    """CMC's NCEAverage: `out.mean() * outputSize`, the positive in column 0 of K + 1."""
    k, positive, negatives = 200, torch.full((B,), 1.0), torch.zeros(B, 200)
    z = estimated_log_z(positive, negatives, N).exp().item()
    assert z == pytest.approx(N * (k + math.e) / (k + 1), rel=1e-9)
    assert z / N == pytest.approx(1.0085, abs=1e-4)  # 1 without positives


def test_negatives_of_minus_infinity_are_ignored():
    positive, negatives = sampled()
    more = torch.cat([negatives, torch.full((B, 3), -torch.inf)], 1)
    assert softmax(positive, more).item() == pytest.approx(softmax(positive, negatives).item())
    of_more, of_all = (estimated_log_z(positive, n, N).item() for n in (more, negatives))
    assert of_more == pytest.approx(of_all)
    negatives[0, 2:] = -torch.inf  # every anchor counts its own negatives
    alone = logistic(positive[:1], negatives[:1, :2], LOG_Z, N)
    others = logistic(positive[1:], negatives[1:], LOG_Z, N)
    expected = (alone + (B - 1) * others).item() / B
    assert logistic(positive, negatives, LOG_Z, N).item() == pytest.approx(expected)


def test_scores_can_have_any_size():
    for value in (1e4, -1e4):
        assert logistic(torch.full((B,), value), torch.full((B, M), -value), LOG_Z, N).isfinite()
    assert softmax(torch.full((B,), 1e4), torch.zeros(B, M)).item() == 0
    with refused("negatives: expected at least one for at least one anchor, got 0 for 5"):
        softmax(torch.zeros(B), torch.zeros(B, 0))


@pytest.mark.parametrize(
    "loss",
    [softmax, lambda p, n: logistic(p, n, LOG_Z, N), lambda p, n: triplet(p, n, 0.7)],
    ids=["softmax", "logistic", "triplet"],
)
def test_sampled_losses_have_their_gradients(loss):
    assert torch.autograd.gradcheck(loss, [s.requires_grad_() for s in sampled(0.3)])


# Graphs of views


def test_the_graphs_of_views():
    assert view_pairs(3) == [(0, 1), (0, 2), (1, 2)] and view_pairs(3, "core") == [(0, 1), (0, 2)]
    assert view_pairs(2) == view_pairs(2, "core") == [(0, 1)]
    assert view_pairs(3, "one_way") == view_pairs(3, "core") and view_pairs(3, "own") == [(0, 0)]
    assert directions((0, 2)) == directions((0, 2), "core") == [(0, 2), (2, 0)]
    assert directions((0, 2), "one_way") == [(0, 2)] and directions((0, 0), "own") == [(0, 0)]
    with refused("views: a contrast needs at least 2, got 1"):
        view_pairs(1)
    with refused("graph: expected one of full, core, one_way, own, got 'ring'"):
        view_pairs(3, "ring")


def test_the_sum_over_pairs_of_views_is_weighted():
    z = [torch.randn(B, 3) for _ in range(3)]
    losses = [infonce(scores) for scores in pair_scores(z, 0.3)]
    a, b, c = (info_nce(z[i], z[j], 0.3).item() for i, j in view_pairs(3))
    plain = weighted_sum(losses, check_pair_weights(view_pairs(3), None))
    assert plain.item() == pytest.approx(a + b + c)
    assert weighted_sum(losses, [2.0, 0.0, 0.5]).item() == pytest.approx(2 * a + c / 2)
    with refused(r"pair_weights: expected 3 numbers, for the views 1-2, 1-3, 2-3, got \[1, 2\]"):
        check_pair_weights(view_pairs(3), [1, 2])
    for wrong in ([1, -1, 1], [0, 0, 0]):
        with refused("pair_weights: expected numbers >= 0, not all 0"):
            check_pair_weights(view_pairs(3), wrong)


# InfoNCE block by block


@pytest.mark.parametrize("rows", [1, 3, 4, K, 50])
def test_loss_accuracy_and_gradient_are_those_of_all_scores(rows):
    z = [torch.randn(K, D, requires_grad=True) for _ in range(2)]
    z[1].data.add_(z[0].data)  # so that some positives score highest
    scores = cosine_scores(*z, TAU)
    expected = torch.autograd.grad(3 * infonce(scores), z)
    loss, accuracy = infonce_in_blocks(*z, TAU, rows)
    assert loss.item() == pytest.approx(infonce(scores).item(), abs=1e-12)
    assert 0 < accuracy == pytest.approx(top1(scores))
    for ours, theirs in zip(torch.autograd.grad(3 * loss, z), expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=0)


def test_large_scores_do_not_overflow():
    z = F.normalize(torch.randn(8, 4), dim=1).requires_grad_()
    loss, accuracy = infonce_in_blocks(z, z, 1e-4, 3)  # exp(10,000) is infinite
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-9) and accuracy == 1
    assert torch.isfinite(z.grad).all()


def test_equal_embeddings_match_by_chance_as_with_all_scores():
    z = torch.ones(8, 4)
    assert infonce_in_blocks(z, z, TAU, 3)[1] == top1(cosine_scores(z, z, TAU)) == 1 / 8


def test_no_more_than_one_block_of_scores_exists_at_a_time(monkeypatch):
    sizes = []
    matmul = torch.Tensor.__matmul__
    monkeypatch.setattr(
        torch.Tensor, "__matmul__", lambda a, b: sizes.append((len(a), b.shape[-1])) or matmul(a, b)
    )
    z = torch.randn(64, 4, requires_grad=True)
    infonce_in_blocks(z, z + 1, TAU, 8)[0].backward()
    assert max(a * b for a, b in sizes) == 8 * 64


def test_batches_that_cannot_be_compared_are_refused():
    for first, second in ((3, 4), (1, 1)):
        with refused(rf"the same 2 or more.*got {first} and {second}"):
            infonce_in_blocks(torch.randn(first, 2), torch.randn(second, 2), TAU, 2)
    z = torch.randn(4, 2)
    with refused("rows: expected a whole number of at least 1, got 0"):
        infonce_in_blocks(z, z, TAU, 0)
    with refused("temperature: expected a number > 0, got 0"):
        infonce_in_blocks(z, z, 0.0, 2)
