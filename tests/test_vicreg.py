"""VICReg: equations 1 to 6 with the constants of the authors' code."""

import pytest
import reference
import torch
from lightly.loss import VICRegLoss
from small import BATCH, B, D, losses_of, small_encoders, small_trainer

from infomin.methods import METHODS, Context
from infomin.methods.vicreg import covariance, variance
from infomin.views import ChannelViews

WEIGHTS = (25.0, 25.0, 1.0)
EXPANDER = {"head": "expander"}


def vicreg(views=2, **options):
    encoders = small_encoders((1,) * views, **EXPANDER)
    return METHODS["vicreg"](encoders, Context(60, B), **options)


def some(views):
    return {i: 2 * torch.randn(B, D) for i in views}


@pytest.mark.parametrize("weights", [WEIGHTS, (2.0, 0.0, 3.0)], ids=str)
@pytest.mark.parametrize("views", [[0, 1], [0, 1, 2], [0, 2]], ids=str)
def test_the_loss_is_equation_6_summed_over_pairs(views, weights):
    names = ("invariance", "variance", "covariance")
    method, z = vicreg(3, **dict(zip(names, weights, strict=True))), some(views)
    pairs = [(i, j) for i in views for j in views if i < j]
    expected = sum(reference.vicreg(z[i], z[j], weights) for i, j in pairs)
    loss, metrics = method.loss(z, {}, BATCH)
    assert loss.item() == pytest.approx(expected, rel=1e-12)
    parts = [w * metrics[f"loss_{name}"] for w, name in zip(weights, "svc", strict=True)]
    assert sum(parts) == pytest.approx(expected) and method.cap is None


def test_the_loss_is_lightlys():
    z = some([0, 1])
    expected = VICRegLoss()(z[0], z[1])
    assert vicreg().loss(z, {}, BATCH).loss.item() == pytest.approx(expected.item(), rel=1e-12)


def test_terms_guard_against_collapse():
    z = torch.randn(64, D)
    whitened = torch.linalg.qr(z - z.mean(0)).Q * (64 - 1) ** 0.5
    assert variance(2 * whitened).item() == 0 and covariance(whitened).item() < 1e-20
    unit = variance(whitened, eps=0.0).item()
    assert unit == pytest.approx(0, abs=1e-12)
    constant = torch.ones(64, D)
    assert variance(constant, eps=0.0).item() == 1 and covariance(constant).item() == 0
    assert variance(constant, gamma=3.0, eps=0.0).item() == 3
    repeated = whitened[:, :1].expand(-1, D)  # one dimension, D times: the variance sees nothing
    assert variance(repeated, eps=0.0).item() == pytest.approx(0, abs=1e-12)
    assert covariance(repeated).item() == pytest.approx(D - 1)
    z = z.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: variance(0.5 * z) + covariance(z), z)


@pytest.mark.slow
@pytest.mark.usefixtures("single")
def test_views_of_different_channels_that_some_images_lack_are_trained():
    mask = torch.ones(64, 3).bool()
    mask[:24, 1] = False
    views = ChannelViews(3, "rgb", [[0], [1], [2]])
    trainer = small_trainer("vicreg", views=views, mask=mask, encoder=EXPANDER)
    views_of_step = [trainer.loader.batches.views(step) for step in range(trainer.steps)]
    assert {*views_of_step} == {(0, 1, 2), (0, 2)}
    for step, _ in enumerate(trainer):
        for i in range(3):
            lacking = i not in views_of_step[step]
            encoder = trainer.method.encoders[i]
            assert all((p.grad is None) == lacking for p in encoder.parameters())


@pytest.mark.slow
@pytest.mark.usefixtures("single")
def test_training_lowers_the_loss_and_spreads_embeddings():
    trainer = small_trainer("vicreg", views=ChannelViews(3, "ydbdr"), encoder=EXPANDER)
    losses = losses_of(trainer, 40)
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    (batch,) = trainer.loader.load(0, trainer.share)
    assert variance(trainer.method.embed(batch, BATCH)[0]).item() < 0.7
