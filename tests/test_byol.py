"""BYOL: equation 2, the predictors, and slow encoders that follow."""

import copy
import math

import pytest
import reference
import torch
from lightly.loss import NegativeCosineSimilarity
from small import BATCH, B, D, losses_of, small_encoders, small_trainer

from infomin.methods import METHODS, Batch, Context

OPTIONS = {"hidden": 16}


def byol(channels=(1, 1), steps=0, **options):
    encoders = small_encoders(channels, head="mlp_bn", **options)
    return METHODS["byol"](encoders, Context(60, B, steps=steps), **OPTIONS)


def some(views):
    return {i: torch.randn(B, D) for i in views}


@pytest.mark.parametrize("views", [[0, 1], [0, 1, 2], [0, 2]], ids=str)
def test_the_loss_is_equation_2_summed_over_pairs(views):
    method, q, targets = byol((1, 1, 1)), some(views), some(views)
    loss, metrics = method.loss(q, targets, BATCH)
    expected = reference.byol([*q.values()], [*targets.values()])
    assert loss.item() == pytest.approx(expected, abs=1e-12) and metrics == {}
    assert method.cap is None and not method.compares_samples


def test_the_loss_is_lightlys_scaled_to_distances():
    method, q, targets, cosine = byol(), some([0, 1]), some([0, 1]), NegativeCosineSimilarity()
    expected = 4 + 2 * (cosine(q[0], targets[1]) + cosine(q[1], targets[0]))
    loss = method.loss(q, targets, BATCH).loss
    assert loss.item() == pytest.approx(expected.item(), abs=1e-12)
    same = method.loss(targets, {0: 3 * targets[1], 1: targets[0]}, BATCH).loss
    opposite = method.loss(targets, {0: -targets[1], 1: -3 * targets[0]}, BATCH).loss
    assert same.item() == pytest.approx(0, abs=1e-12)
    assert opposite.item() == pytest.approx(8, abs=1e-12)


@pytest.mark.usefixtures("single")
def test_slow_encoders_follow_with_tau_of_the_papers_schedule():
    steps, start = 10, 0.99
    for step in (0, 3, steps):
        method = byol(steps=steps)
        for p in method.encoders.parameters():
            torch.nn.init.normal_(p)
        before = copy.deepcopy(method.slow_encoders)
        method.update({}, {}, Batch(BATCH.index, step))
        tau = 1 - (1 - start) * (math.cos(math.pi * step / steps) + 1) / 2
        assert tau == {0: start, 3: tau, steps: 1}[step]
        for slow, old, fast in zip(
            method.slow_encoders.parameters(),
            before.parameters(),
            method.encoders.parameters(),
            strict=True,
        ):
            torch.testing.assert_close(slow, tau * old + (1 - tau) * fast)
            assert not slow.requires_grad


@pytest.mark.parametrize(("channels", "shared"), [((1, 2), False), ((3, 3, 3), True)])
def test_predictions_and_targets_are_those_of_the_paper(channels, shared, single):
    method = byol(channels, shared=shared)
    views = {i: torch.rand(B, c, 16, 16) for i, c in enumerate(channels)}
    q, targets = method.embed(views, BATCH), method.targets(views, BATCH)
    assert len(method.predictors) == (1 if shared else 2)
    for i, view in views.items():
        predictor = method.predictors[0 if shared else i]
        z = method.encoders[i].project(view)
        torch.testing.assert_close(q[i], predictor(z))
        torch.testing.assert_close(targets[i], z)  # slow encoders start as copies
        assert q[i].requires_grad and not targets[i].requires_grad
    assert not torch.allclose(z.norm(dim=1), torch.ones(B))


@pytest.mark.slow
@pytest.mark.usefixtures("single")
def test_training_lowers_the_loss_and_does_not_collapse():
    trainer = small_trainer("byol", encoder={"head": "mlp_bn"}, **OPTIONS)
    losses = losses_of(trainer, 40)
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
    (views,) = trainer.loader.load(0, trainer.share)
    z = trainer.method.encoders[0](views[0])
    assert z.std(0).mean() > 0.1 / math.sqrt(D)
