"""The factor audit: what is there is found, what is not reads out at chance."""

import pytest
import reference
import torch
from refusal import refused
from sklearn.linear_model import Ridge

from infomin.core import rng
from infomin.data import Motion, MovingMnist, moving_digits, scenes
from infomin.data.images import ImageSet
from infomin.evaluation import (
    Survival,
    audit,
    audit_encoder,
    extract,
    read_out,
    ridge_probe,
    supervised_errors,
)
from infomin.evaluation.ridge import mean_distance
from infomin.experiments.audits import audit_chart, audit_rows
from infomin.experiments.sequences import pairs_picture
from infomin.experiments.tables import markdown
from infomin.models import build_encoders
from infomin.models.pretrained_encoder import PretrainedEncoder
from infomin.training.shared_factors import Heads
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


def found(n=2000, **options):
    z, known = planted(n, 1)
    return {s.factor: s for s in audit(z, known, *planted(1000, 2), {"place": "px"}, **options)}


def test_a_planted_factor_survives_and_an_absent_one_is_at_chance():
    survivals = found(epochs=10)
    assert [*survivals] == ["class", "place", "lost class", "lost number"]
    assert survivals["class"].error < 0.02 and survivals["class"].score > 0.97
    assert survivals["place"].score > 0.8 and survivals["place"].unit == "px"
    assert survivals["lost class"].score == pytest.approx(0, abs=0.07)
    assert survivals["lost number"].score == pytest.approx(0, abs=0.05)
    assert all(s.n == 1000 for s in survivals.values())


def test_random_features_read_out_at_chance():
    _, known = planted(2000, 1)
    _, held_out = planted(1000, 2)
    for s in audit(torch.randn(2000, 24), known, torch.randn(1000, 24), held_out, epochs=5):
        assert s.score == pytest.approx(0, abs=0.1), s.factor


def test_a_constant_guess_misses_a_uniform_position_by_13_8_pixels():
    """0.3826 of a side (the mean distance from the centre of a square), here of 64 - 28 pixels."""
    moving = MovingMnist(ImageSet(*_set(1, 28)), ImageSet(*_set(3, 64)), Motion())
    drawn = moving.draw(40000, 1, torch.Generator().manual_seed(0))
    positions = moving.factors(drawn)["position"]
    assert mean_distance(positions.mean(0).expand_as(positions), positions) == pytest.approx(
        0.3826 * 36, abs=0.1
    )


def _set(channels, side):
    return torch.zeros(4, channels, side, side, dtype=torch.uint8), torch.arange(4) % 2


def test_survival_counts_from_chance_to_perfect():
    told = [Survival("a", error, 0.8, "%", 10).score for error in (0.8, 0.4, 0.0, 0.9)]
    assert told == pytest.approx([0, 0.5, 1, -0.125])


def test_chance_is_the_most_frequent_class_of_the_training_set():
    labels, held_out = torch.tensor([2, 2, 2, 0, 1] * 20), torch.tensor([2, 0, 0, 1])
    factors = ({"a": labels}, {"a": held_out})
    (s,) = audit(torch.randn(100, 3), factors[0], torch.randn(4, 3), factors[1], epochs=1)
    assert s.chance == 0.75 and s.unit == "%"


def test_ridge_equals_its_slow_reference_and_scikit_learn():
    x, known = planted(300, 1)
    x_test, held_out = planted(100, 2)
    y, y_test = known["place"], held_out["place"]
    result = ridge_probe(x, y, x_test, y_test, penalties=(0.3,))
    assert result.test == pytest.approx(mean_distance(reference.ridge(x, y, x_test, 0.3), y_test))
    mean, std = x.mean(0), x.std(0)
    theirs = Ridge(alpha=0.3 * 300).fit(((x - mean) / std).numpy(), y.numpy())
    guess = torch.from_numpy(theirs.predict(((x_test - mean) / std).numpy()))
    assert result.test == pytest.approx(mean_distance(guess, y_test))


def test_the_penalty_is_chosen_on_validation_alone():
    x, known = planted(60, 1, noise=3.0)
    x_test, held_out = planted(500, 2, noise=3.0)
    y = known["place"]
    penalties = (1e-6, 1e-2, 1.0, 1e4)
    one = ridge_probe(x, y, x_test, held_out["place"], penalties, validation=0.3)
    other = ridge_probe(x, y, x_test, held_out["place"].flip(0), penalties, validation=0.3)
    assert (one.penalty, one.validation) == (other.penalty, other.validation)
    alone = [ridge_probe(x, y, x_test, held_out["place"], (p,), 0.3) for p in penalties]
    assert one.validation == pytest.approx(min(a.validation for a in alone))
    assert one.test == pytest.approx(alone[penalties.index(one.penalty)].test)
    assert "chosen on 18 of 60 training samples" in one.protocol


def test_every_factor_of_scenes_is_known_and_drawn():
    data = scenes(size=32, train=50, test=20)
    assert [*data.train.factors] == ["shape", "shape_hue", "ground_hue", "row", "column"]
    assert torch.equal(data.train.factors["shape"], data.train.labels)
    part = data.train.part(torch.tensor([3, 1]))
    assert torch.equal(part.factors["row"], data.train.factors["row"][[3, 1]])
    corner = data.train.images[:, :, 0, 0]  # always ground
    for i in range(50):
        same = data.train.factors["ground_hue"] == data.train.factors["ground_hue"][i]
        assert torch.equal((corner == corner[i]).all(1), same)


@pytest.mark.usefixtures("single")
def test_a_pretrained_encoder_is_audited_on_scenes():
    data = scenes(size=16, train=600, test=300, hues=1)
    encoders = build_encoders("fourconv", (1, 2), 16, dim=8)
    pretrained = PretrainedEncoder(ChannelViews(3), encoders, {"name": "fourconv", "size": 16, "dim": 8})
    survivals = {s.factor: s for s in audit_encoder(pretrained, data, "conv1", epochs=10)}
    assert [*survivals] == ["shape", "row", "column"], "hues do not vary"
    assert survivals["row"].score > 0.5 and survivals["column"].score > 0.5
    features = [
        extract(pretrained.views, encoders, s.images, 16, "conv1") for s in (data.train, data.test)
    ]
    factors = [{"row": s.factors["row"]} for s in (data.train, data.test)]
    (alone,) = audit(features[0], factors[0], features[1], factors[1], epochs=10)
    assert alone == survivals["row"]
    bare = ImageSet(data.train.images, data.train.labels)
    with refused("data scenes: an audit needs images with known factors that vary"):
        audit_encoder(pretrained, type(data)("scenes", bare, bare, ("a",)))


@pytest.mark.usefixtures("single")
def test_readouts_leave_the_backbone_bit_identical_and_in_its_mode():
    digits = moving_digits()
    grounds = ImageSet(torch.zeros(4, 3, 64, 64, dtype=torch.uint8), torch.arange(4) % 2)
    train, test = (MovingMnist(s, grounds, Motion()) for s in (digits.train, digits.test))
    (encoder,) = build_encoders("strided", (3,), 64, dim=8).encoders
    before = {k: v.clone() for k, v in encoder.state_dict().items()}
    read = [read_out(encoder.backbone, train, test, 700, 300, epochs=1) for _ in range(2)]
    assert [s.factor for s in read[0]] == ["digit", "position", "background"]
    assert read[0] == read[1] and read[0][1].chance == pytest.approx(13.8, abs=1)
    labelled = supervised_errors(Heads(encoder, 10, 2), train, test, 700, 300)
    assert [s.chance for s in labelled] == [s.chance for s in read[0]]
    assert all(torch.equal(v, before[k]) for k, v in encoder.state_dict().items())
    assert encoder.backbone.training


@pytest.mark.usefixtures("single")
def test_perfect_heads_have_no_error():
    class Told(Heads):
        """Knows the answers."""

        def __init__(self):
            torch.nn.Module.__init__(self)

        def forward(self, images):
            return {
                "digit": torch.eye(2)[truth["digit"]],
                "background": torch.eye(2)[truth["background"]],
                "position": (truth["position"] / 36 - 0.5) * 12**0.5,
            }

    moving = MovingMnist(ImageSet(*_set(1, 28)), ImageSet(*_set(3, 64)), Motion())
    truth = moving.factors(moving.draw(200, 1, rng.generator(0, "readout", "test", 0)))
    assert [s.error for s in supervised_errors(Told(), moving, moving, 300, 200)] == pytest.approx(
        [0, 0, 0], abs=1e-4
    )


def test_the_table_says_error_chance_and_survival():
    rows = audit_rows(
        [Survival("digit", 0.168, 0.887, "%", 4000), Survival("position", 3.95, 13.8, "px", 4000)]
    )
    assert markdown(rows).splitlines() == [
        "| factor | error | chance | survival | n |",
        "|---|---|---|---|---|",
        "| digit | 16.8 % | 88.7 % | 0.81 | 4000 |",
        "| position | 3.95 px | 13.80 px | 0.71 | 4000 |",
    ]


@pytest.mark.parametrize("shared", [None, ["digit"]])
def test_the_chart_shows_every_bar_chance_and_n(shared):
    told = [Survival("digit", 0.1, 0.9, "%", 4000), Survival("$x", 16.2, 13.8, "px", 4000)]
    axis = audit_chart(told, "an encoder", shared).axes[0]
    assert [bar.get_width() for bar in axis.patches] == pytest.approx([s.score for s in told])
    assert axis.get_title(loc="left") == "an encoder, n = 4,000 test images"
    assert [label.get_text() for label in axis.get_yticklabels()] == ["digit", "$x"]
    words = [text.get_text() for text in axis.texts]
    assert words == ["10.0 % (chance 90.0 %)", "16.20 px (chance 13.80 px)"]
    assert "chance" in axis.get_xticklabels()[0].get_text() and axis.get_xlim()[0] < told[1].score
    assert (axis.get_legend() is None) == (shared is None)
    colors = {bar.get_facecolor() for bar in axis.patches}
    assert len(colors) == (1 if shared is None else 2)


def test_the_strip_shows_every_frame_and_v2():
    v1, v2 = torch.zeros(2, 3, 3, 8, 8), torch.full((2, 3, 8, 8), 0.5)
    axis = pairs_picture(v1, v2, "pairs").axes[0]
    strip = axis.images[0].get_array()
    assert strip.shape == (2 * 10, 5 * 10, 3)
    assert (strip[:8, 40:48] == 0.5).all() and (strip[:8, 30:40] == 1).all()
    assert [label.get_text() for label in axis.get_xticklabels()] == ["x1", "x2", "x3", "v2"]


def test_wrong_input_is_told():
    z, known = planted(100, 1)
    with refused("factors: expected the same ones"):
        audit(z, known, z, {"class": known["class"]})
    with refused("factors: expected the same ones"):
        audit(z, {}, z, {})
    with refused("factors: a has 3 values for 100 images"):
        audit(z, {"a": torch.arange(3)}, z, {"a": torch.arange(3)})
    with refused("factors: a is the same in all images; leave it out"):
        audit(z, {"a": torch.ones(100)}, z, {"a": torch.ones(100)})
    with refused("penalties: expected a number > 0, got 0"):
        ridge_probe(z, known["place"], z, known["place"], penalties=(0,))
    with refused("validation: 1.0 of 100 samples leaves a part empty"):
        ridge_probe(z, known["place"], z, known["place"], validation=1.0)
