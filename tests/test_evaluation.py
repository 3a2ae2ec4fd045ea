from importlib import import_module

import numpy as np
import pytest
import reference
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from torch.nn import functional as F

from infomin.augment import CropFlip
from infomin.core.errors import InputError
from infomin.data import DataSet, ImageSet, scenes
from infomin.evaluation import evaluate, extract, held_out_i_nce, knn_accuracy, linear_probe
from infomin.evaluation.linear_probe import _Regression, standardised
from infomin.models import build_encoders
from infomin.models.pretrained_encoder import PretrainedEncoder
from infomin.views import ChannelViews

DATA = scenes(size=16, train=200, test=150)


def clusters(n, d=20, classes=4, spread=2.2):
    generator = torch.Generator().manual_seed(1)
    centres = torch.randn(classes, d, generator=generator)
    labels = torch.randint(classes, (n,))
    return centres[labels] + spread * torch.randn(n, d), labels


def digits(n, seed=0):
    """Handwritten digits, features and labels, shuffled: n for training and 597 for testing."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(x))
    x, y = torch.tensor(x[order]).float(), torch.tensor(y[order])
    return x[:n], y[:n], x[-597:], y[-597:]


def badly_scaled(x, x_test):
    """Features of all orders of magnitude with large offsets, some of them constant."""
    generator = torch.Generator().manual_seed(2)
    scale = 10 ** torch.empty(x.shape[1]).uniform_(-4, 4, generator=generator)
    scale[::7] = 0
    offset = 30 * scale + (scale == 0)
    return x * scale + offset, x_test * scale + offset


def of_scikit_learn(x, y, x_test, y_test, penalty):
    scaler = StandardScaler().fit(x.double())
    theirs = LogisticRegression(C=1 / (penalty * len(x)), max_iter=10_000, tol=1e-8)
    return theirs.fit(scaler.transform(x.double()), y).score(
        scaler.transform(x_test.double()), y_test
    )


@pytest.mark.slow
@pytest.mark.parametrize("bad", [False, True], ids=["", "badly scaled"])
@pytest.mark.parametrize(
    ("n", "d"), [(200, 16), (200, 512), (200, 4608), (1200, 64), (2000, 256), (10_000, 16)]
)
def test_the_probe_is_the_logistic_regression_of_scikit_learn_at_the_defaults(n, d, bad):
    x, y = clusters(n, d, spread=0.4 * d**0.5)
    x_test, y_test = clusters(2000, d, spread=0.4 * d**0.5)
    if bad:
        x, x_test = badly_scaled(x, x_test)
    ours = linear_probe(x, y, x_test, y_test)
    scores = {p: of_scikit_learn(x, y, x_test, y_test, p) for p in (ours.penalty, 1 / n)}
    assert ours.test == pytest.approx(scores[ours.penalty], abs=0.003)
    assert ours.test > scores[1 / n] - 0.01  # C = 1 has seen no validation either


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_the_probe_reads_digits_as_well_as_scikit_learn(seed):
    data = digits(1200, seed)
    ours, theirs = linear_probe(*data), of_scikit_learn(*data, penalty=1 / 1200)
    assert ours.test > 0.95 and ours.test == pytest.approx(theirs, abs=0.005)
    assert (
        "64, softmax regression to convergence, 13 penalties, chosen on 600 of 1200"
        in ours.protocol
    )


@pytest.mark.slow
def test_float32_and_float64_solve_the_same_regression(monkeypatch):
    module = import_module("infomin.evaluation.linear_probe")
    data = digits(600)
    exact = linear_probe(*data)
    monkeypatch.setattr(module, "_FLOAT64", 0)
    assert linear_probe(*data).test == pytest.approx(exact.test, abs=0.002)
    assert linear_probe(*data).penalty == exact.penalty


def test_a_solution_has_no_derivative():
    x, y, _, _ = digits(300)
    x, _ = standardised(x, x)
    w, b = _Regression(x, y, x.mT @ x, x.new_zeros(65, 10)).fit(penalty=1e-3, tolerance=1e-10)
    w, b = w.requires_grad_(), b.clone().requires_grad_()
    loss = F.cross_entropy(x @ w + b, y) + 1e-3 / 2 * w.square().sum()
    assert all(g.abs().max() < 1e-5 for g in torch.autograd.grad(loss, [w, b]))


def test_labels_need_not_be_consecutive_and_unknown_ones_count_as_wrong():
    x, y = clusters(400)
    x_test, y_test = clusters(200)
    usual = linear_probe(x, y, x_test, y_test)
    names = torch.tensor([-7, 0, 255, 10**9])
    assert linear_probe(x, names[y], x_test, names[y_test]).test == usual.test
    unknown = linear_probe(x, y, x_test, torch.where(y_test == 1, 9, y_test)).test
    assert unknown < usual.test


def test_the_chosen_penalty_is_fitted_on_the_whole_training_set():
    """Whatever is split off to choose, with one penalty to choose from the result is the same."""
    x, y = clusters(400)
    x_test, y_test = clusters(200)
    shares = (0.1, 0.5, 0.9)
    probes = [linear_probe(x, y, x_test, y_test, (1e-2,), validation=v) for v in shares]
    assert len({probe.test for probe in probes}) == 1
    assert len({probe.validation for probe in probes}) > 1


def test_test_labels_choose_nothing():
    x, y = clusters(400)
    one, other = (linear_probe(x, y, x[:50], labels) for labels in (y[:50], y[:50].flip(0)))
    assert (one.penalty, one.validation) == (other.penalty, other.validation)


def test_knn_equals_its_slow_reference_and_scikit_learn():
    x, y = clusters(60)
    x_test, y_test = clusters(40)
    guesses = torch.tensor(reference.knn(x, y, x_test, 10, 0.07))
    ours = knn_accuracy(x, y, x_test, y_test, 10, 0.07)
    assert ours == pytest.approx((guesses == y_test).double().mean().item())
    theirs = KNeighborsClassifier(1, metric="cosine", algorithm="brute").fit(x.numpy(), y.numpy())
    assert knn_accuracy(x, y, x_test, y_test, 1) == pytest.approx(
        theirs.score(x_test.numpy(), y_test.numpy())
    )


def encoder(views):
    options = {"name": "fourconv", "size": 16, "dim": 8}
    encoders = build_encoders(view_channels=views.view_channels, **options)
    return PretrainedEncoder(views, encoders, options)


@pytest.mark.usefixtures("single")
def test_evaluating_leaves_the_encoder_bit_identical():
    pretrained = encoder(ChannelViews(3, "ydbdr"))
    before = {k: v.clone() for k, v in pretrained.encoders.state_dict().items()}
    result = evaluate(pretrained, DATA)
    assert all(torch.equal(v, before[k]) for k, v in pretrained.encoders.state_dict().items())
    assert pretrained.encoders.training
    assert result["chance"] == pytest.approx(1 / 3) and 0 < result["top1"] <= 1
    assert "tap conv4" in result["protocol"] and "kNN cosine" in result["protocol"]


@pytest.mark.usefixtures("single")
def test_features_of_any_tap_are_those_of_whole_images():
    pretrained = encoder(ChannelViews(3))
    views, encoders, images = pretrained.views, pretrained.encoders.eval(), DATA.test.images[:20]
    features = extract(views, encoders, images, "conv2", chunk=8)
    assert features.shape == (20, 2 * 32 * 4 * 4) and not features.requires_grad
    whole = views.split(images / 255)
    expected = [b(v, "conv2") for b, v in zip(encoders.backbones, whole, strict=True)]
    torch.testing.assert_close(features, torch.cat(expected, 1).detach())


@pytest.mark.usefixtures("single")
def test_held_out_i_nce_of_equal_views_is_high_and_of_strangers_low():
    encoders = build_encoders("fourconv", (3, 3), 16, dim=32)
    encoders.encoders[1].load_state_dict(encoders.encoders[0].state_dict())
    views = ChannelViews(6, groups=[[0, 1, 2], [3, 4, 5]], crops="shared")
    same = torch.cat([DATA.test.images] * 2, 1)
    strangers = torch.cat([DATA.test.images, DATA.test.images.flip(0)], 1)
    high, low = (
        held_out_i_nce(views, encoders, x, CropFlip(16), 0.05, 50) for x in (same, strangers)
    )
    assert high.low > low.high and high.images == 150


def test_wrong_input_is_refused():
    x, y = clusters(30)
    with pytest.raises(InputError, match=r"k: expected 1..30 neighbours, got 31"):
        knn_accuracy(x, y, x, y, 31)
    with pytest.raises(InputError, match="labels: expected at least 2 classes, got 1"):
        linear_probe(x, torch.zeros(30).long(), x, y)
    with pytest.raises(InputError, match="validation: 0.0 of 30 samples leaves a part empty"):
        linear_probe(x, y, x, y, validation=0.0)
    with pytest.raises(InputError, match="penalties: expected numbers > 0, got "):
        linear_probe(x, y, x, y, penalties=[1.0, 0.0])
    with pytest.raises(InputError, match="features: expected finite numbers, got NaN"):
        linear_probe(x.where(x < 1, torch.nan), y, x, y)
    one = ImageSet.of(DATA.train.images[:5], torch.zeros(5).long())
    with pytest.raises(InputError, match="evaluation needs at least 2 classes, got 1"):
        evaluate(encoder(ChannelViews()), DataSet("one", one, one, ("a", "b")))
