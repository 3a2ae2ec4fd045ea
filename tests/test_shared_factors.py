"""Training on Colorful-Moving-MNIST: it learns what is shared, and goes on to the same numbers."""

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
from infomin.data import ImageSet, Motion, MovingMnist, Sharing, scenes
from infomin.evaluation import held_out_pairs, read_out, supervised_errors
from infomin.losses import cosine_scores, infonce
from infomin.models import build_encoders, build_sequence_encoder
from infomin.training.distributed import make_fabric
from infomin.training.shared_factors import (
    Heads,
    SharedFactors,
    SharedFactorsSettings,
    SupervisedFactors,
    in_pixels,
    standardized,
)

pytestmark = pytest.mark.usefixtures("single")
MOTION = Motion(canvas=16, frames=3, target=5)


def moving(seed=0):
    """Bars, upright or level, over plain grounds of three hues."""
    bars = torch.zeros(2, 1, 6, 6, dtype=torch.uint8)
    bars[0, :, 2:4], bars[1, :, :, 2:4] = 255, 255
    data = scenes(size=20, train=300, test=150, hues=3, seed=seed).train
    plain = data.images[:, :, :1, :1].expand(-1, -1, 20, 20).contiguous()
    return MovingMnist(
        ImageSet(bars, torch.arange(2)), ImageSet(plain, data.factors["ground_hue"]), MOTION
    )


def encoders(one=True):
    f2, another = build_encoders("strided", (3, 3), size=16, kernel=3, dim=16).encoders
    of_frames = (f2 if one else another).backbone
    return build_sequence_encoder(of_frames, 3, 16, hidden=16, dim=16), f2


def make(shared=("background",), supervised=False, lr=5e-3, one=True, **options):
    settings = SharedFactorsSettings(**({"steps": 8, "batch": 32} | options))
    fabric = make_fabric("cpu", precision="32-true")

    def optimizer(parameters):
        return torch.optim.AdamW(parameters, lr=lr)

    f1, f2 = encoders(one)
    if supervised:
        with rng.seeded(0, "heads"):
            return SupervisedFactors(moving(), Heads(f2, 2, 3), optimizer, settings, fabric)
    return SharedFactors(moving(), Sharing(shared), f1, f2, optimizer, settings, fabric)


def weights(learner):
    return [p.detach().clone() for p in torch.nn.ModuleDict(learner.modules).parameters()]


@pytest.mark.parametrize("one", [True, False])
def test_a_step_follows_the_gradient_of_infonce_on_both_towers(monkeypatch, one):
    learner = make(one=one)
    reference = copy.deepcopy(learner)
    monkeypatch.setattr(learner.optimizer, "step", lambda: None)
    metrics = next(iter(learner))
    z1, z2 = (f(v) for f, v in zip((reference.f1, reference.f2), reference.make(0), strict=True))
    loss = infonce(cosine_scores(z1, z2, 0.1))
    assert metrics["loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert metrics["i_nce"] == pytest.approx(math.log(32) - loss.item(), rel=1e-4)
    parameters = list(torch.nn.ModuleDict(reference.modules).parameters())
    expected = torch.autograd.grad(loss, parameters)
    found = [p.grad for p in torch.nn.ModuleDict(learner.modules).parameters()]
    for gradient, other in zip(found, expected, strict=True):
        torch.testing.assert_close(gradient, other, atol=1e-5, rtol=1e-3)
    assert all(gradient.abs().max() > 0 for gradient in found if gradient.ndim > 1)


def test_one_backbone_or_two_are_trained():
    learners = [make(one=one, steps=1) for one in (True, False)]
    counts = [
        sum(p.numel() for p in learner.optimizer.param_groups[0]["params"]) for learner in learners
    ]
    backbone = sum(p.numel() for p in learners[0].f2.backbone.parameters())
    assert counts[1] - counts[0] == backbone
    assert learners[0].f1.backbone is learners[0].f2.backbone


def test_training_is_a_function_of_its_seed():
    runs = [[m["loss"] for m in make(steps=3, seed=s)] for s in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize("supervised", [False, True])
def test_a_saved_training_goes_on_to_the_same_numbers(supervised):
    whole, first, second = (make(supervised=supervised) for _ in range(3))
    expected = [m["loss"] for m in whole]
    for _, _ in zip(range(3), first, strict=False):
        pass
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert [m["loss"] for m in second] == expected[3:]
    for a, b in zip(weights(whole), weights(second), strict=True):
        assert torch.equal(a, b)


@pytest.mark.slow
def test_what_is_shared_is_learned_and_bounded_by_its_entropy():
    """Grounds of three hues: at most log 3 nats can be found, and a hue is then read out."""
    learner = make(["background"], steps=120)
    list(learner)
    i_nce = held_out_pairs(learner.f1, learner.f2, moving(), learner.sharing, 0.1, 32, 640)
    assert 0.9 < i_nce.value < math.log(3) + 0.02
    found = {s.factor: s for s in read_out(learner.f2.backbone, moving(), moving(), 1500, 500)}
    assert found["background"].score > 0.9


def test_nothing_is_found_where_only_strangers_meet():
    learner = make(["digit"])
    stranger = Sharing(["position"])
    i_nce = held_out_pairs(learner.f1, learner.f2, moving(), stranger, 0.1, 32, 640)
    assert i_nce.value < 0.05 and i_nce.images == 640 and i_nce.cap == pytest.approx(math.log(32))


@pytest.mark.slow
def test_labels_teach_all_three_factors():
    learner = make(supervised=True, steps=250)
    list(learner)
    found = {s.factor: s for s in supervised_errors(learner.model, moving(), moving(), 500, 500)}
    assert found["digit"].score > 0.9 and found["background"].score > 0.9
    assert found["position"].score > 0.5


def test_positions_have_variance_one_and_come_back():
    position = 36 * torch.rand(20000, 2)
    told = standardized(position, 36)
    assert told.mean().abs() < 0.02 and told.std() == pytest.approx(1, abs=0.02)
    torch.testing.assert_close(in_pixels(told, 36), position)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps: expected at least 1, got 0"),
        ({"batch": 1}, "batch: InfoNCE needs at least 2 pairs, got 1"),
        ({"temperature": 0.0}, "temperature: expected a number > 0, got 0.0"),
        ({"warmup": 1.0}, r"warmup: expected a share within \[0, 1\), got 1.0"),
    ],
)
def test_wrong_settings_are_told(options, message):
    with refused(message):
        make(**options)


TINY = (
    *("budget=smoke", "encoder.kernel=3", "motion.frames=2", "motion.target=3"),
    *("budget.moving.steps=12", "budget.moving.batch=8", "readout.epochs=1"),
)


def read(run, name):
    return json.loads((run / name).read_text())


@pytest.mark.slow
@pytest.mark.parametrize("told", [["shared=[digit,position]"], ["supervised=true"]], ids=str)
def test_a_stopped_run_goes_on_and_leaves_what_an_undisturbed_one_does(tmp_path, told):
    expected = Script(tmp_path / "whole", "share_factors", *TINY, *told)
    stopped = Script(tmp_path, "share_factors", *TINY, *told, signal_at=(5, signal.SIGTERM))
    assert (expected.wait(), stopped.wait()) == (0, 128 + signal.SIGTERM), expected.err
    assert not (stopped.folders[0] / "result.json").exists()
    resumed = Script(tmp_path, "share_factors", *TINY, *told, "resume=true")
    assert resumed.wait() == 0, resumed.err
    (run,), (whole,) = resumed.folders, expected.folders
    results = [read(folder, "result.json") for folder in (run, whole)]
    for result in results:
        for name in ("seconds", "images_per_second", "waiting"):
            assert result.pop(name) >= 0
    assert results[0] == results[1]
    for factor in ("digit", "position", "background"):
        assert results[0][f"{factor}_error"] >= 0 and results[0][f"{factor}_chance"] > 0
    assert results[0]["cap"] == pytest.approx(math.log(8))
    assert (results[0]["i_nce"] is None) == results[0]["supervised"] == (told[0][:3] == "sup")
    for name in ("views", "audit"):
        with Image.open(run / "pictures" / f"{name}.png") as image:
            assert image.format == "PNG" and min(image.size) > 100
    assert "survival" in resumed.out and "chance" in resumed.out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("told", "message"),
    [
        ("shared=[colour]", "error: shared: expected some of digit, position, background"),
        ("shared=[]", "error: shared: expected some of digit, position, background"),
        ("supervised=3", "error: supervised: expected true or false, got 3"),
        ("motion.canvas=128", "error: motion.canvas: expected at most the 96 pixels of a backgr"),
        (
            "motion.frames=2.5",
            "error: motion.frames: expected a whole number of at least 1, got 2.5",
        ),
        ("digits.root=nowhere", "error: digits.root: expected a folder with MNIST/raw in it"),
        ("backgrounds.root=nowhere", "error: backgrounds.root: nowhere is not a folder"),
    ],
)
def test_what_a_user_can_mend_is_one_line(tmp_path, told, message):
    script = Script(tmp_path, "share_factors", *TINY, told)
    assert script.wait() == 2
    assert script.err.count("\n") == 1 and script.err.startswith(message)
    assert not script.folders
