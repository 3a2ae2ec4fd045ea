import pytest
import reference
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from infomin.augment import CropFlip
from infomin.core.errors import InputError
from infomin.data import DataSet, ImageSet, scenes
from infomin.evaluation import evaluate, extract, held_out_i_nce, knn_accuracy, linear_probe
from infomin.models import build_encoders
from infomin.models.pretrained_encoder import PretrainedEncoder
from infomin.views import ChannelViews

DATA = scenes(size=16, train=200, test=150)


def clusters(n, d=20, classes=4, spread=2.2):
    generator = torch.Generator().manual_seed(1)
    centres = torch.randn(classes, d, generator=generator)
    labels = torch.randint(classes, (n,))
    return centres[labels] + spread * torch.randn(n, d), labels


def test_the_probe_agrees_with_scikit_learn():
    x, y = clusters(2000)
    x_test, y_test = clusters(1000)
    ours = linear_probe(x, y, x_test, y_test, rates=(3e-2,), decays=(1e-4,), epochs=40)
    theirs = LogisticRegression(max_iter=1000).fit(x.numpy(), y.numpy())
    assert ours.test == pytest.approx(theirs.score(x_test.numpy(), y_test.numpy()), abs=0.015)


def test_settings_fitted_at_once_are_those_fitted_alone():
    data, rates = clusters(400) * 2, (1e-3, 3e-2)
    alone = [linear_probe(*data, rates=(r,), decays=(1e-2,), epochs=3).validation for r in rates]
    together = linear_probe(*data, rates=rates, decays=(1e-2,), epochs=3)
    assert together.validation == pytest.approx(max(alone))


def test_the_chosen_setting_is_fitted_on_the_whole_training_set():
    """Whatever is split off to choose, with one setting to choose from the result is the same."""
    x, y = clusters(400)
    x_test, y_test = clusters(200)
    fit = {"rates": (1e-2,), "decays": (1e-2,), "epochs": 3}
    shares = (0.1, 0.5, 0.9)
    probes = [linear_probe(x, y, x_test, y_test, validation=v, **fit) for v in shares]
    assert len({probe.test for probe in probes}) == 1
    assert len({probe.validation for probe in probes}) > 1


def test_test_labels_choose_nothing():
    x, y = clusters(400)
    one = linear_probe(x, y, x[:50], y[:50], epochs=2)
    other = linear_probe(x, y, x[:50], y[:50].flip(0), epochs=2)
    assert (one.rate, one.decay, one.validation) == (other.rate, other.decay, other.validation)
    assert "chosen on 40 of 400 training images" in one.protocol


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
    result = evaluate(pretrained, DATA, epochs=2)
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
    one = ImageSet(DATA.train.images[:5], torch.zeros(5).long())
    with pytest.raises(InputError, match="evaluation needs at least 2 classes, got 1"):
        evaluate(encoder(ChannelViews()), DataSet("one", one, one, ("a", "b")))
