"""Training and evaluation on Colorful-Moving-MNIST: encoders learn what their views share."""

import copy
import json
import math
import signal

import pytest
import torch
from PIL import Image
from refusal import refused
from running import Script

from infomin.core import rng
from infomin.data import ImageSet, scenes
from infomin.evaluation.factor_probe import mean_distance
from infomin.losses import cosine_scores, infonce
from infomin.models import build_encoders
from infomin.training.distributed import make_fabric
from studies.moving_mnist.evaluation import held_out_i_nce, probe_backbone, supervised_errors
from studies.moving_mnist.scenes import Motion, MovingMnist, Sharing
from studies.moving_mnist.share_factors import pairs_picture
from studies.moving_mnist.training import (
    ContrastiveFactors,
    FactorHeads,
    SequenceEncoder,
    SupervisedFactors,
    TrainingSettings,
    standardize,
    to_pixels,
)

pytestmark = pytest.mark.usefixtures("single")


def moving():
    """Upright and level bars over plain backgrounds of three hues."""
    bars = torch.zeros(2, 1, 6, 6, dtype=torch.uint8)
    bars[0, :, 2:4], bars[1, :, :, 2:4] = 255, 255
    data = scenes(size=20, train=300, test=150, hues=3).train
    plain = data.images[:, :, :1, :1].expand(-1, -1, 20, 20).contiguous()
    backgrounds = ImageSet.of(plain, data.factors["ground_hue"])
    motion = Motion(canvas=16, frames=3, target=5)
    return MovingMnist(ImageSet.of(bars, torch.arange(2)), backgrounds, motion)


def black():
    """Four black digits of MNIST's size over black backgrounds, in two classes."""
    sides = ((1, 28), (3, 64))
    images = [torch.zeros(4, c, side, side, dtype=torch.uint8) for c, side in sides]
    return MovingMnist(*(ImageSet.of(x, torch.arange(4) % 2) for x in images), Motion())


def make(shared=("background",), supervised=False, one_backbone=True, **options):
    settings = TrainingSettings(**({"steps": 8, "batch": 32} | options))
    fabric = make_fabric("cpu", precision="32-true")
    f2, other = build_encoders("strided", (3, 3), size=16, kernel=3, dim=16).encoders

    def optimizer(parameters):
        return torch.optim.AdamW(parameters, lr=5e-3)

    if supervised:
        return SupervisedFactors(moving(), FactorHeads(f2, 2, 3), optimizer, settings, fabric)
    f1 = SequenceEncoder(f2 if one_backbone else other, hidden=16)
    return ContrastiveFactors(moving(), Sharing(shared), f1, f2, optimizer, settings, fabric)


def parameters(learner):
    return list(torch.nn.ModuleDict(learner.modules).parameters())


def test_the_sequence_encoder_is_an_lstm_over_the_features_of_frames():
    """One frame at a time, gates from the weights."""
    (f2,) = build_encoders("strided", (3,), 16, dim=4).encoders
    encoder, same, other = (SequenceEncoder(f2, 8, seed).eval() for seed in (0, 0, 1))
    assert torch.equal(encoder.head.weight, same.head.weight)
    assert not torch.equal(encoder.head.weight, other.head.weight)
    frames, h, c = torch.rand(2, 3, 3, 16, 16), torch.zeros(2, 8), torch.zeros(2, 8)
    w = dict(encoder.memory.named_parameters())
    with torch.no_grad():
        for t in range(3):
            x = encoder.backbone(frames[:, t])
            gates = x @ w["weight_ih_l0"].T + h @ w["weight_hh_l0"].T
            i, f, g, o = (gates + w["bias_ih_l0"] + w["bias_hh_l0"]).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        z = torch.nn.functional.normalize(encoder.head(h), dim=1)
        torch.testing.assert_close(encoder(frames), z, atol=1e-5, rtol=1e-4)
    with refused("encoder.hidden: expected at least 1, got 0"):
        SequenceEncoder(f2, hidden=0)


@pytest.mark.parametrize("one_backbone", [True, False])
def test_a_step_follows_the_gradient_of_infonce_in_both_encoders(monkeypatch, one_backbone):
    learner = make(one_backbone=one_backbone)
    assert (learner.f1.backbone is learner.f2.backbone) == one_backbone
    reference = copy.deepcopy(learner)
    monkeypatch.setattr(learner.optimizer, "step", lambda: None)
    metrics = next(iter(learner))
    v1, v2 = reference.make_batch(0)
    loss = infonce(cosine_scores(reference.f1(v1), reference.f2(v2), 0.1))
    assert metrics["loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert metrics["i_nce"] == pytest.approx(math.log(32) - loss.item(), rel=1e-4)
    trained = learner.optimizer.param_groups[0]["params"]
    expected = torch.autograd.grad(loss, parameters(reference))
    for parameter, gradient in zip(trained, expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, atol=1e-5, rtol=1e-3)
        assert parameter.ndim == 1 or parameter.grad.abs().max() > 0


@pytest.mark.slow
@pytest.mark.parametrize("supervised", [False, True])
def test_a_saved_training_goes_on_to_the_same_numbers(supervised):
    whole, first, second, other = (make(supervised=supervised, seed=s) for s in (0, 0, 0, 1))
    expected = [m["loss"] for m in whole]
    for _ in zip(range(3), first, strict=False):
        pass
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert [m["loss"] for m in second] == expected[3:] != [m["loss"] for m in other][3:]
    for a, b in zip(parameters(whole), parameters(second), strict=True):
        assert torch.equal(a, b)


@pytest.mark.slow
def test_a_shared_factor_is_learned_and_bounds_i_nce_by_its_entropy():
    """Backgrounds have three hues: I_NCE is at most log 3 nats."""
    learner = make(["background"], steps=100)
    list(learner)
    i_nce = held_out_i_nce(learner.f1, learner.f2, moving(), learner.sharing, 0.1, 32, 640)
    assert 0.9 < i_nce.value < math.log(3) + 0.02
    readouts = probe_backbone(learner.f2.backbone, moving(), moving(), 1500, 500)
    assert {r.factor: r.score for r in readouts}["background"] > 0.9
    i_nce = held_out_i_nce(learner.f1, learner.f2, moving(), Sharing(["position"]), 0.1, 32, 640)
    assert i_nce.value < 0.05 and i_nce.images == 640 and i_nce.cap == pytest.approx(math.log(32))


@pytest.mark.slow
def test_labels_teach_all_three_factors():
    learner = make(supervised=True, steps=250)
    list(learner)
    readouts = supervised_errors(learner.model, moving(), moving(), 500, 500)
    scores = {r.factor: r.score for r in readouts}
    assert min(scores["digit"], scores["background"]) > 0.9 and scores["position"] > 0.5


@pytest.mark.slow
def test_readouts_leave_the_backbone_and_its_mode_unchanged():
    data = moving()
    (encoder,) = build_encoders("strided", (3,), 16, dim=8).encoders
    before = copy.deepcopy(encoder.state_dict())
    first, again = (probe_backbone(encoder.backbone, data, data, 700, 300) for _ in "ab")
    assert [r.factor for r in first] == ["digit", "position", "background"] and first == again
    labelled = supervised_errors(FactorHeads(encoder, 2, 3), data, data, 700, 300)
    assert [r.chance for r in labelled] == [r.chance for r in first]
    assert all(torch.equal(v, before[k]) for k, v in encoder.state_dict().items())
    assert encoder.backbone.training


def test_perfect_heads_have_no_error():
    class Perfect(FactorHeads):
        def __init__(self):
            torch.nn.Module.__init__(self)

        def forward(self, images):
            classes = {name: torch.eye(2)[truth[name]] for name in ("digit", "background")}
            return classes | {"position": standardize(truth["position"], 36)}

    data = black()
    truth = data.factors(data.sample(200, 1, rng.generator(0, "readout", "test", 0)))
    readouts = supervised_errors(Perfect(), data, data, 300, 200)
    assert [r.error for r in readouts] == pytest.approx([0, 0, 0], abs=1e-4)


def test_a_constant_guess_misses_a_position_by_13_8_pixels():
    """The mean distance from the centre of a square is 0.3826 of its side, here 64 - 28 pixels."""
    data = black()
    positions = data.factors(data.sample(40000, 1, rng.generator(0, "test")))["position"]
    error = mean_distance(positions.mean(0).expand_as(positions), positions)
    assert error == pytest.approx(0.3826 * 36, abs=0.1)
    standard = standardize(positions, 36)
    assert standard.mean().abs() < 0.02 and standard.std() == pytest.approx(1, abs=0.02)
    torch.testing.assert_close(to_pixels(standard, 36), positions)


def test_the_picture_shows_every_frame_and_v2():
    v1, v2 = torch.zeros(2, 3, 3, 8, 8), torch.full((2, 3, 8, 8), 0.5)
    axis = pairs_picture(v1, v2, "pairs").axes[0]
    image = axis.images[0].get_array()
    assert image.shape == (2 * 10, 5 * 10, 3)
    assert (image[:8, 40:48] == 0.5).all() and (image[:8, 30:40] == 1).all()
    assert [label.get_text() for label in axis.get_xticklabels()] == ["x1", "x2", "x3", "v2"]


def test_wrong_settings_are_refused():
    for name, value, message in (
        ("steps", 0, "expected at least 1"),
        ("batch", 1, "InfoNCE needs at least 2 pairs"),
        ("temperature", 0.0, "expected a number > 0"),
        ("warmup", 1.0, r"expected a share within \[0, 1\)"),
    ):
        with refused(f"{name}: {message}, got {value}"):
            TrainingSettings(**{name: value})


TINY = (
    *("budget=smoke", "encoder.kernel=3", "motion.frames=2", "motion.target=3"),
    *("budget.moving.steps=12", "budget.moving.batch=8"),
)


@pytest.mark.slow
def test_a_stopped_run_goes_on_to_the_results_of_an_undisturbed_one(tmp_path):
    command = ("share_factors", *TINY, "shared=[digit,position]")
    whole = Script(tmp_path / "whole", *command)
    stopped = Script(tmp_path, *command, signal_at=(5, signal.SIGTERM))
    labelled = Script(tmp_path / "labels", "share_factors", *TINY, "supervised=true")
    wrong = Script(tmp_path / "wrong", "share_factors", *TINY, "shared=[]")
    assert (whole.wait(), stopped.wait()) == (0, 128 + signal.SIGTERM), whole.err
    resumed = Script(tmp_path, *command, "resume=true")
    assert (resumed.wait(), labelled.wait()) == (0, 0), resumed.err + labelled.err
    results = []
    for script in (resumed, whole, labelled):
        (run,) = script.folders
        results.append(json.loads((run / "result.json").read_text()))
        for name in ("seconds", "images_per_second", "waiting"):
            assert results[-1].pop(name) >= 0
        for factor in ("digit", "position", "background"):
            assert results[-1][f"{factor}_error"] >= 0 and results[-1][f"{factor}_chance"] > 0
        for name in ("views", "audit"):
            with Image.open(run / "pictures" / f"{name}.png") as image:
                assert image.format == "PNG" and min(image.size) > 100
        assert "chance" in script.out
    assert results[0] == results[1] and results[0]["cap"] == pytest.approx(math.log(8))
    assert [result["i_nce"] is None for result in results] == [False, False, True]
    assert [result["supervised"] for result in results] == [False, False, True]
    assert wrong.wait() == 2 and not wrong.folders and wrong.err.count("\n") == 1
    assert wrong.err.startswith("error: shared: expected some of digit, position, background")
