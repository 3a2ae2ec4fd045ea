"""Flags of estimates, and transforms of inputs, on distributions whose information is known."""

import math
from functools import partial

import pytest
import torch
from refusal import refused

from infomin.cli.estimate_information import REMEDY
from infomin.core import rng
from infomin.evaluation import calibration
from infomin.evaluation.calibration import Case
from infomin.information import (
    Estimate,
    InputTransform,
    SeparableCritic,
    TransformedCritic,
    estimate,
)
from infomin.information.flags import MEANING, dominance, recent_fall
from infomin.information.known import gaussians, heavy_tailed, sharp_noise
from infomin.training.critic_learning import CriticSettings
from infomin.training.distributed import make_fabric

HEALTHY = {"value": 1.0, "low": 0.9, "high": 1.1, "cap": 4.0, "images": 500}


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        ({"value": 3.9}, "saturated"),
        ({"value": -4762.0}, "below 0"),
        ({"value": -0.01}, "below 0"),
        ({"dominance": 0.6}, "few pairs dominate"),
        ({"largest_score": 400.0}, "large scores"),
        ({"fall": 0.2}, "still learning"),
    ],
)
def test_a_sign_of_a_wrong_value_is_a_flag_with_a_meaning_and_a_remedy(change, flag):
    assert Estimate(**HEALTHY).flags == () and str(Estimate(**HEALTHY)).endswith("cap 4.00")
    flagged = Estimate(**HEALTHY | change)
    assert flagged.flags == (flag,) and str(flagged).endswith(f"cap 4.00, {flag}")
    assert {flag} <= MEANING.keys() == REMEDY.keys()


def test_the_interval_is_named_after_sampling_and_a_record_keeps_all():
    one = Estimate(**HEALTHY, largest_score=30.0, dominance=0.1, fall=0.5)
    assert str(one) == ("1.00 nats, sampling interval 0.90 to 1.10, cap 4.00, still learning")
    record = one.record()
    assert record["flags"] == ["still learning"] and Estimate.from_record(record) == one
    assert Estimate.from_record(HEALTHY) == Estimate(**HEALTHY), "of earlier versions"


def test_the_share_of_the_largest_pairs():
    assert dominance(torch.ones(1000)) == pytest.approx(0.01)
    assert dominance(torch.cat([torch.ones(990), torch.full((10,), -1e6)])) > 0.999
    assert dominance(torch.tensor([1.0, 1e9])) == 0, "two pairs cannot tell"
    assert dominance(torch.zeros(1000)) == 0


def test_the_fall_of_the_last_fifth_of_a_training():
    assert recent_fall([5, 4, 3, 2, 1]) == pytest.approx(1)
    assert recent_fall([9, 9, 9, 9, 9, 9, 4, 2, 2, 1]) == pytest.approx(1.5)
    assert recent_fall([3, 2, 1, 1]) is None and recent_fall([]) is None


def test_scores_of_any_size_are_seen():
    z = torch.nn.functional.normalize(torch.randn(256, 8), dim=1)
    scale = 5000.0
    result = estimate(z, z, lambda a, b: scale * a @ b.mT, 64, rng.generator(0, "t"))
    assert result.largest_score == pytest.approx(scale, rel=1e-3)
    assert result.flags == ("saturated", "large scores")


def trained(known, steps=300, inputs=None, batch=256, k=2048):
    """An estimate of a critic, and of the best one, after a training on new pairs."""
    d = known.sample(1, torch.Generator())[0].shape[1]
    build = partial(SeparableCritic, d, d, 64)
    if inputs:
        pairs = known.sample(4096, rng.generator(0, "inputs"))
        build = partial(lambda make: TransformedCritic(make(), *pairs, inputs), build)
    case = Case(known, build, CriticSettings(steps, batch), k, anchors=1024)
    learner = calibration.make_learner(case, make_fabric("cpu", 1, "32-true"))
    losses = [metrics["loss"] for metrics in learner]
    return calibration.evaluate_case(case, learner.critic, losses)


@pytest.mark.slow
@pytest.mark.usefixtures("single")
def test_heavy_tails_are_flagged_and_a_rank_transform_mends_them():
    known = heavy_tailed(gaussians(2, 1.0))
    raw, ranked = trained(known).learned, trained(known, inputs="rank").learned
    assert {"few pairs dominate", "large scores"} & {*raw.flags}, raw
    assert not ranked.flags and ranked.value == pytest.approx(known.nats, abs=0.15)


@pytest.mark.slow
@pytest.mark.usefixtures("single")
def test_a_sharp_density_that_is_not_learned_is_flagged():
    known = sharp_noise(2, 0.02)
    result = trained(known, k=16384)
    short, interval = known.nats - result.learned.value, result.learned.high - result.learned.low
    assert short > 5 * interval and "large scores" in result.learned.flags
    assert result.best.value == pytest.approx(known.nats, abs=0.3)


@pytest.mark.usefixtures("single")
def test_a_healthy_critic_has_no_flag():
    result = trained(gaussians(2, 1.0), steps=150)
    assert result.learned.flags == () and result.best.flags == ()
    assert result.learned.value == pytest.approx(1.0, abs=0.15)


# Transforms of inputs


@pytest.mark.parametrize("kind", ["standard", "rank"])
def test_a_transform_is_strictly_monotone_also_beyond_its_data(kind):
    x = torch.cat([torch.randn(4000, 1), 1e6 * torch.randn(40, 1), torch.zeros(500, 1)])
    far = torch.linspace(-5e6, 5e6, 401)
    points = torch.cat([far, x.flatten()]).unique()[:, None]
    mapped = InputTransform(x, kind)(points)
    assert (mapped.diff(dim=0) > 0).all()


def test_ranks_are_normal_and_standard_has_median_0_and_deviation_1():
    x = torch.tan(math.pi * (torch.rand(20_000, 2) - 0.5)) * torch.tensor([1.0, 1e4])
    ranks = InputTransform(x, "rank")(x)
    torch.testing.assert_close(ranks.mean(0), torch.zeros(2), atol=0.02, rtol=0)
    torch.testing.assert_close(ranks.std(0), torch.ones(2), atol=0.02, rtol=0)
    normal = 3 + 2 * torch.randn(20_000, 2)
    standard = InputTransform(normal, "standard")(normal)
    torch.testing.assert_close(standard.median(0).values, torch.zeros(2), atol=0.02, rtol=0)
    torch.testing.assert_close(standard.std(0), torch.ones(2), atol=0.03, rtol=0)


def test_equal_values_have_the_mean_of_their_ranks():
    x = torch.tensor([0.0, 0.0, 1.0, 1.0])[:, None].repeat(1000, 1)
    mapped = InputTransform(x, "rank")(torch.tensor([[0.0], [1.0]]))
    quartile = torch.special.ndtri(torch.tensor(0.25)).item()
    assert mapped.flatten().tolist() == pytest.approx([quartile, -quartile], abs=0.01)


def test_images_are_mapped_channel_by_channel_in_their_own_dtype():
    images = torch.rand(50, 3, 4, 4, dtype=torch.float32)
    mapped = InputTransform(images)(images)
    assert mapped.shape == images.shape and mapped.dtype == torch.float32
    alone = InputTransform(images[:, 1:2])(images[:, 1:2])
    torch.testing.assert_close(mapped[:, 1:2], alone)
    with refused("inputs: expected one of standard, rank, got 'log'"):
        InputTransform(images, "log")
    with refused("inputs: expected finite numbers, got NaN or infinity among them"):
        InputTransform(images / 0)


def test_the_information_of_the_best_critic_is_that_of_transformed_pairs():
    known = gaussians(2, 1.0)
    x, y = known.sample(2048, rng.generator(0, "t"))
    critic = SeparableCritic(2, 2, 16)
    transformed = TransformedCritic(critic, x, y, "standard")
    torch.testing.assert_close(
        transformed(x, y), critic(transformed.transform_x(x), transformed.transform_y(y))
    )
    assert [*transformed.parameters()] == [*critic.parameters()]
