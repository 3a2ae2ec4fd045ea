"""Factor probe: planted factors are read out, absent ones only by chance."""

import pytest
import reference
import torch
from refusal import refused
from sklearn.linear_model import Ridge

from infomin.data import scenes
from infomin.data.images import ImageSet
from infomin.evaluation import (
    FactorReadout,
    extract,
    probe_encoder,
    probe_factors,
    ridge_probe,
)
from infomin.evaluation.factor_probe import mean_distance
from infomin.evaluation.linear_probe import split_validation
from infomin.experiments.evaluation_figures import audit_chart, audit_rows
from infomin.experiments.tables import markdown
from infomin.models import build_encoders
from infomin.models.pretrained_encoder import PretrainedEncoder
from infomin.views import ChannelViews


def planted(n, seed, noise=0.1):
    """Features that hold one class and one position, and the factors: these and two others."""
    generator = torch.Generator().manual_seed(seed)
    known = {
        "class": torch.randint(5, (n,), generator=generator),
        "place": 36 * torch.rand(n, 2, generator=generator),
        "lost class": torch.randint(4, (n,), generator=generator),
        "lost number": torch.rand(n, generator=generator),
    }
    codes = torch.nn.functional.one_hot(known["class"], 5).double()
    mixing = torch.randn(7, 24, generator=torch.Generator().manual_seed(9))
    signal = torch.cat([codes, known["place"] / 36], 1) @ mixing
    return signal + noise * torch.randn(n, 24, generator=generator), known


def test_a_planted_factor_is_read_out_and_an_absent_one_is_at_chance():
    test = planted(1000, 2)
    readouts = probe_factors(*planted(1000, 1), *test, {"place": "px"})
    by_name = {r.factor: r for r in readouts}
    assert [*by_name] == ["class", "place", "lost class", "lost number"]
    assert by_name["class"].error < 0.02 and by_name["class"].score > 0.97
    assert by_name["place"].score > 0.8 and by_name["place"].unit == "px"
    assert by_name["lost class"].score == pytest.approx(0, abs=0.07)
    assert by_name["lost number"].score == pytest.approx(0, abs=0.05)
    assert all(r.n == 1000 for r in readouts)


def test_chance_is_the_most_frequent_class_of_the_training_set():
    labels, held_out = torch.tensor([2, 2, 2, 0, 1] * 20), torch.tensor([2, 0, 0, 1])
    features = torch.randn(100, 3), torch.randn(4, 3)
    (readout,) = probe_factors(features[0], {"a": labels}, features[1], {"a": held_out})
    assert readout.chance == 0.75 and readout.unit == "%"


def test_ridge_equals_its_slow_reference_and_scikit_learn():
    x, known = planted(300, 1)
    x_test, held_out = planted(100, 2)
    y, y_test = known["place"], held_out["place"]
    error, _ = ridge_probe(x, y, x_test, y_test, penalties=(0.3,))
    assert error == pytest.approx(mean_distance(reference.ridge(x, y, x_test, 0.3), y_test))
    mean, std = x.mean(0), x.std(0)
    theirs = Ridge(alpha=0.3 * 300).fit(((x - mean) / std).numpy(), y.numpy())
    guess = torch.from_numpy(theirs.predict(((x_test - mean) / std).numpy()))
    assert error == pytest.approx(mean_distance(guess, y_test))


def test_the_penalty_is_chosen_on_validation_alone():
    x, known = planted(100, 1, noise=3.0)
    x_test, truth = planted(500, 2, noise=3.0)
    y, y_test = known["place"], truth["place"]
    penalties = (1e-6, 1e-2, 1.0, 1e4)
    held_out, fitted = split_validation(100, 0.1, 0)
    errors = {
        p: mean_distance(reference.ridge(x[fitted], y[fitted], x[held_out], p), y[held_out])
        for p in penalties
    }
    best = min(errors, key=errors.get)
    refitted = mean_distance(reference.ridge(x, y, x_test, best), y_test)
    assert ridge_probe(x, y, x_test, y_test, penalties) == (pytest.approx(refitted), best)
    assert ridge_probe(x, y, x_test, y_test.flip(0), penalties)[1] == best


def test_every_factor_of_scenes_is_known_and_visible():
    data = scenes(size=32, train=50, test=20)
    assert [*data.train.factors] == ["shape", "shape_hue", "ground_hue", "row", "column"]
    assert torch.equal(data.train.factors["shape"], data.train.labels)
    part = data.train.subset(torch.tensor([3, 1]))
    assert torch.equal(part.factors["row"], data.train.factors["row"][[3, 1]])
    corner = data.train.images[:, :, 0, 0]
    for i in range(50):
        same = data.train.factors["ground_hue"] == data.train.factors["ground_hue"][i]
        assert torch.equal((corner == corner[i]).all(1), same)


@pytest.mark.slow
@pytest.mark.usefixtures("single")
def test_a_pretrained_encoder_is_probed_on_scenes():
    data = scenes(size=16, train=200, test=100, hues=1)
    encoders = build_encoders("fourconv", (1, 2), 16, dim=8)
    pretrained = PretrainedEncoder(
        ChannelViews(3), encoders, {"name": "fourconv", "size": 16, "dim": 8}
    )
    readouts = {r.factor: r for r in probe_encoder(pretrained, data, "conv2")}
    assert [*readouts] == ["shape", "row", "column"], "hues do not vary"
    assert readouts["row"].score > 0.5 and readouts["column"].score > 0.5
    features = [
        extract(pretrained.views, encoders, s.images, "conv2") for s in (data.train, data.test)
    ]
    factors = [{"row": s.factors["row"]} for s in (data.train, data.test)]
    (alone,) = probe_factors(features[0], factors[0], features[1], factors[1])
    assert alone == readouts["row"]
    bare = ImageSet.of(data.train.images, data.train.labels)
    with refused("data scenes: a factor probe needs images with known factors that vary"):
        probe_encoder(pretrained, type(data)("scenes", bare, bare, ("a",)))


def test_the_table_says_error_chance_and_survival():
    readouts = [("digit", 0.168, 0.887, "%", 4000), ("position", 3.95, 13.8, "px", 4000)]
    rows = audit_rows([FactorReadout(*readout) for readout in readouts])
    assert markdown(rows).splitlines() == [
        "| factor | error | chance | survival | n |",
        "|---|---|---|---|---|",
        "| digit | 16.8 % | 88.7 % | 0.81 | 4000 |",
        "| position | 3.95 px | 13.80 px | 0.71 | 4000 |",
    ]


@pytest.mark.parametrize("shared", [None, ["digit"]])
def test_the_chart_shows_every_bar_chance_and_n(shared):
    readouts = [
        FactorReadout("digit", 0.1, 0.9, "%", 4000),
        FactorReadout("$x", 16.2, 13.8, "px", 4000),
    ]
    axis = audit_chart(readouts, "an encoder", shared).axes[0]
    assert [bar.get_width() for bar in axis.patches] == pytest.approx([s.score for s in readouts])
    assert axis.get_title(loc="left") == "an encoder, n = 4,000 test images"
    assert [label.get_text() for label in axis.get_yticklabels()] == ["digit", "$x"]
    words = [text.get_text() for text in axis.texts]
    assert words == ["10.0 % (chance 90.0 %)", "16.20 px (chance 13.80 px)"]
    assert "chance" in axis.get_xticklabels()[0].get_text()
    assert axis.get_xlim()[0] < readouts[1].score
    assert (axis.get_legend() is None) == (shared is None)
    colors = {bar.get_facecolor() for bar in axis.patches}
    assert len(colors) == (1 if shared is None else 2)
