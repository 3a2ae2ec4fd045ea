"""Calibration: critics are trained on distributions with known information."""

import itertools
import math
from functools import partial

import pytest
import torch
from refusal import refused

from infomin.evaluation import calibration
from infomin.evaluation.calibration import Case, shared_scenes
from infomin.evaluation.features import sizes
from infomin.experiments import evaluation_figures as report
from infomin.information import BilinearCritic, SeparableCritic
from infomin.information.known import gaussians, mixture
from infomin.training.critic_learning import CriticSettings
from infomin.training.distributed import make_fabric

pytestmark = pytest.mark.usefixtures("single")


def train_and_evaluate(known, critic, steps=150, batch=256, k=2048):
    case = Case(known, critic, CriticSettings(steps, batch), k, anchors=1024)
    learner = calibration.make_learner(case, make_fabric("cpu", 1, "32-true"))
    for _ in learner:
        pass
    return calibration.evaluate_case(case, learner.critic)


def test_a_critic_learns_the_known_information():
    row = train_and_evaluate(gaussians(2, 1.0), partial(SeparableCritic, 2, 2, 64))
    assert row.learned.value == pytest.approx(1.0, abs=0.15)
    assert row.learned.low <= row.truth and row.best.value == pytest.approx(1.0, abs=0.1)


@pytest.mark.slow
def test_a_bilinear_critic_finds_nothing_in_uncorrelated_pairs():
    known = mixture(1)
    bilinear = train_and_evaluate(known, partial(BilinearCritic, 1, 1))
    separable = train_and_evaluate(known, partial(SeparableCritic, 1, 1, 64))
    assert bilinear.learned.value < 0.05 < 0.5 < separable.learned.value <= known.nats + 0.1


def test_training_is_a_function_of_its_seed():
    case = Case(gaussians(2, 1.0), partial(SeparableCritic, 2, 2), CriticSettings(9, 16), 64, 64)
    fabric = make_fabric("cpu", 1, "32-true")
    one, two, again = (calibration.make_learner(case, fabric) for _ in range(3))
    losses = [[m["loss"] for m in learner] for learner in (one, two)]
    assert losses[0] == losses[1]
    first = [m["loss"] for m in itertools.islice(again, 4)]
    resumed = calibration.make_learner(case, fabric)
    resumed.load_state_dict(again.state_dict())
    assert first + [m["loss"] for m in resumed] == losses[0]


def test_scenes_share_the_named_factors():
    known = shared_scenes(["shape", "row"], size=16)
    assert known.nats == pytest.approx(math.log(3 * 4))
    x, y = known.sample(64, torch.Generator().manual_seed(0))
    assert x.shape == (64, 3, 16, 16) and 0 <= x.min() and x.max() <= 1
    assert not torch.equal(x, y)
    with refused("shared: expected some of shape, shape_hue, ground_hue, row, column, got 'digit'"):
        shared_scenes(["digit"])


def test_the_cases_span_0_5_to_8_nats():
    cases = calibration.make_cases(CriticSettings())
    truths = [case.known.nats for case in cases]
    assert min(truths) == 0.5 and max(truths) == 8.0 and len(cases) >= 10
    for case in cases:
        x, y = case.known.sample(4, torch.Generator())
        assert case.critic()(x, y).shape == (4, 4)
        assert math.log(case.k) > case.known.nats + 4


def test_table_and_figure_show_all_cases():
    case = Case(gaussians(2, 1.0), partial(SeparableCritic, 2, 2), CriticSettings(1, 16), 64, 64)
    learner = calibration.make_learner(case, make_fabric("cpu", 1, "32-true"))
    rows = [calibration.evaluate_case(case, learner.critic)]
    nats, bits = report.calibration_table(rows), report.calibration_table(rows, bits=True)
    assert nats[0]["true, nats"] == "1.00" and bits[0]["true, bits"] == "1.44"
    assert nats[0]["cap"] == "4.16" and bits[0]["cap"] == "6.00"
    axis = report.calibration_figure(rows).axes[0]
    assert "nats" in axis.get_xlabel() and "1 distribution" in axis.get_title(loc="left")


def test_k_grows_as_far_as_images_go():
    assert sizes(None, 3925) == (64, 256, 1024) and sizes(None, 40) == (40,)
    assert sizes(100, 200) == (100,) and sizes([64, 128], 200) == (64, 128)
    with refused("k: expected 2 <= K <= 200 held-out images, got 201"):
        sizes([64, 201], 200)
