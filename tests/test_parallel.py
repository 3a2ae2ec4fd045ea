"""Two processes are one process with the joined batch: same losses, same weights."""

import os
import signal
import sys
import time

import pytest
import torch
from torch import nn
from trainers import NET, make_trainer
from two import join, together

from infomin import ViewGenerator
from infomin.augment import CropFlip, Pipeline, RandAugment
from infomin.augment.color_jitter import ColorJitter
from infomin.core import rng
from infomin.core.errors import InputError
from infomin.data import DataSet, ImageSet
from infomin.evaluation.monitoring import Monitor
from infomin.models import build_encoders
from infomin.runs.folder import Run
from infomin.runs.signals import Interrupted
from infomin.training.distributed import make_fabric, share, share_batch_norm
from infomin.training.game_settings import GameSettings
from infomin.training.view_game import Game
from infomin.views import ChannelViews, CombinedViews, WholeViews

pytestmark = pytest.mark.usefixtures("single")

STEPS = 2
TIMES = ("data_seconds",)


def images():
    return torch.randint(0, 256, (40, 3, 16, 16), generator=rng.generator(0)).to(torch.uint8)


def gradient_descent(parameters):
    return torch.optim.SGD(parameters, lr=0.02, momentum=0.9)


def pretraining(fabric, method="cmc", views=None, **options):
    views = views or ChannelViews(color="ydbdr")
    settings = {"epochs": 1, "batch": 12, "temperature": 0.5}
    parts = {"fabric": fabric, "optimizer": gradient_descent, "settings": settings}
    return make_trainer(views, images(), method, **parts, **options)


def banked_pretraining(fabric):
    """With noise-contrastive estimation and a memory bank."""
    bank = {"kind": "bank", "negatives": 16}
    return pretraining(fabric, loss={"name": "logistic"}, memory=bank)


def queued_pretraining(fabric):
    """With momentum encoders and a queue."""
    return pretraining(fabric, "moco", memory={"kind": "queue", "size": 16, "momentum": 0.9})


def grouped_pretraining(fabric):
    """With keys that are normalised in other groups than queries."""
    queue = {"kind": "queue", "size": 16, "momentum": 0.9, "groups": 3}
    return pretraining(fabric, "moco", WholeViews(), memory=queue)


def predictive_pretraining(fabric):
    """Of the other view, instead of a contrast with it."""
    views = ChannelViews(color="ydbdr", crops="shared")
    return pretraining(fabric, "predictive", views, loss={"name": "l2"})


def byol_pretraining(fabric):
    """With a loss that is a mean over samples."""
    return pretraining(fabric, "byol", hidden=8)


def vicreg_pretraining(fabric):
    """With statistics of the embeddings of all processes."""
    return pretraining(fabric, "vicreg")


def combined_pretraining(fabric):
    """With colours changed and RandAugment before g and after it, and g for half of the images."""
    strong = ColorJitter(0.8, 0.8, 0.8, 0.2, gray=0.2, blur=0.5)
    views = CombinedViews(generator(), 0.5, photometric=strong, randaugment=RandAugment())
    augment = Pipeline(CropFlip(8), strong, RandAugment())
    return pretraining(fabric, views=views, augment=augment)


def generator():
    with rng.seeded(0, "test"):
        g = ViewGenerator(flow={"hidden": 8})
        for p in g.parameters():
            nn.init.normal_(p, std=0.3)
    return g


def game(fabric, **options):
    """A game of plain gradient descent: Adam would blow up rounding of gradients that are zero."""
    g, train = generator(), ImageSet.of(images(), torch.arange(40) % 3)
    f = build_encoders(view_channels=g.view_channels, **NET)
    c = build_encoders(view_channels=g.view_channels, normalize=False, **{**NET, "dim": 3})
    numbers = {"steps": STEPS, "batch": 12, "labelled_batch": 8, "temperature": 0.5}
    settings = GameSettings(**numbers, **options)
    learner = Game(g, "per_view", f, c, train, torch.arange(20), CropFlip(8), settings, fabric)
    for name, module in (("g", g), ("f", f), ("c", c)):
        learner.optimizers[name] = gradient_descent(module.parameters())
    return learner


def supervised_game(fabric):
    return game(fabric, mode="sup")


def patient_game(fabric):
    return game(fabric, mode="semi", estimator_steps=2, average=0.5)


def played(make, fabric):
    learner = make(fabric)
    metrics = [m for m, _ in zip(learner, range(STEPS), strict=False)]
    return metrics, {name: module.state_dict() for name, module in learner.modules.items()}


MAKERS = [pretraining, combined_pretraining, banked_pretraining, queued_pretraining]
MAKERS += [grouped_pretraining, predictive_pretraining, byol_pretraining, vicreg_pretraining]
MAKERS += [patient_game, supervised_game]


MESSAGES = ("all_reduce", "all_gather_into_tensor", "all_gather", "broadcast", "barrier")


def messages_of_a_step(make, fabric):
    """The messages of the second step: those of batch normalisation, and all others."""
    learner, sent = make(fabric), {"norm": [], "others": []}
    next(iter(learner))

    def counted(name, call):
        def send(*arguments, **options):
            frames, frame = [], sys._getframe()
            while frame := frame.f_back:
                frames.append(frame.f_code.co_qualname)
            norm = any(name.startswith("_GatherEach.") for name in frames)
            sent["norm" if norm else "others"].append(name)
            return call(*arguments, **options)

        return send

    with pytest.MonkeyPatch.context() as patch:
        for name in MESSAGES:
            patch.setattr(torch.distributed, name, counted(name, getattr(torch.distributed, name)))
        next(iter(learner))
    return sent


def work_as_one_of_two(rank, port, path):
    """Do everything in one pair of processes: to start them takes longer than the work."""
    fabric = join(rank, port)
    results = {make.__name__: played(make, fabric) for make in MAKERS}
    results["messages"] = {make.__name__: messages_of_a_step(make, fabric) for make in MAKERS}
    results["measured"] = measured(fabric, rank)
    norm = share_batch_norm(fabric, nn.Sequential(tiny_channel_norm()))
    results["norm"] = normalised(norm, small_on_large()[4 * rank : 4 * rank + 4])
    torch.save(results, path)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    return together(tmp_path_factory.mktemp("two"), work_as_one_of_two)


@pytest.mark.slow
@pytest.mark.parametrize("make", MAKERS)
def test_two_processes_learn_what_one_learns_from_the_joined_batch(theirs, make):
    metrics, state = played(make, make_fabric("cpu", 1, "32-true"))
    for their_metrics, their_state in (results[make.__name__] for results in theirs):
        for ours, other in zip(metrics, their_metrics, strict=True):
            assert ours.keys() == other.keys()
            for name in ours.keys() - TIMES:
                assert other[name] == pytest.approx(ours[name], rel=1e-6, abs=1e-6), name
        assert state.keys() == their_state.keys()
        for module in state:
            for name, ours in state[module].items():
                torch.testing.assert_close(their_state[module][name], ours, rtol=1e-5, atol=1e-5)
    assert any("running_var" in name for module in state.values() for name in module)


@pytest.mark.slow
@pytest.mark.parametrize("make", MAKERS)
def test_a_step_takes_two_messages_and_no_barrier(theirs, make):
    sent = theirs[0]["messages"][make.__name__]
    moves = 2 if make is patient_game else 1  # of the estimators in a step
    assert len(sent["others"]) <= 2 * moves
    assert sent["others"].count("all_reduce") == moves
    assert {*sent["norm"]} == {"all_gather_into_tensor", "all_reduce"}
    assert sent["norm"].count("all_reduce") <= sent["norm"].count("all_gather_into_tensor")


def measured(fabric, rank):
    """Only the first process measures; the other one waits for it at the next step."""
    trainer = pretraining(fabric)
    x = ImageSet.of(images(), torch.arange(40) % 2)
    monitor = Monitor(trainer, DataSet("noise", x, x, ("a", "b")))
    measured = [monitor.measure(metrics) for metrics in trainer if rank == 0]
    return len(measured), trainer.method.state_dict()


@pytest.mark.slow
def test_measuring_in_one_of_two_processes_changes_nothing(theirs):
    (measured, first), (none, second) = (results["measured"] for results in theirs)
    assert measured == 3 and none == 0
    trainer = pretraining(make_fabric("cpu", 1, "32-true"))
    list(trainer)
    for name, ours in trainer.method.state_dict().items():
        torch.testing.assert_close(first[name], ours, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(second[name], ours, rtol=1e-5, atol=1e-5)


def stop_one_of_two(rank, port, path):
    learner = pretraining(join(rank, port))
    run = Run(path.parent / "run", "", main=rank == 0, show=False)
    try:
        for _ in run.follow(learner, "stopped", save_every=1000):
            if rank == 1 and learner.step == 1:
                os.kill(os.getpid(), signal.SIGTERM)
    except Interrupted as stop:
        torch.save((learner.step, stop.exit_code, str(stop) != ""), path)


@pytest.mark.slow
def test_a_signal_to_one_process_stops_both_at_the_same_step(tmp_path):
    code = 128 + signal.SIGTERM
    assert together(tmp_path, stop_one_of_two) == [(2, code, True), (2, code, False)], (
        "the next step tells"
    )
    assert torch.load(tmp_path / "run" / "checkpoint.pt")["step"] == 2


def lose_one_of_two(rank, port, path):
    learner = pretraining(join(rank, port))
    began = time.monotonic()
    try:
        for _ in learner:
            if rank == 1:
                os._exit(0)  # as a process that is killed
    except InputError as error:
        torch.save((str(error), time.monotonic() - began), path)


@pytest.mark.slow
def test_a_lost_process_ends_the_others(tmp_path):
    with pytest.raises(FileNotFoundError):  # the second one saves nothing
        together(tmp_path, lose_one_of_two)
    message, seconds = torch.load(tmp_path / "0.pt")
    assert message.startswith("another process of this training ended, or did not answer")
    assert seconds < 30


def test_a_batch_is_shared_evenly_or_refused():
    class Two:
        world_size, global_rank = 2, 1

    assert share.__wrapped__(Two, 12) == slice(6, 12)
    with pytest.raises(InputError, match="^batch 13 does not divide among 2 processes$"):
        share.__wrapped__(Two, 13)


def tiny_channel_norm():
    return nn.BatchNorm2d(3, eps=1e-8, affine=False)


def small_on_large():
    """Channels of deviation 0.01 around 100, -100 and 0."""
    noise = torch.randn(8, 3, 5, 5, generator=rng.generator(0))
    return 0.01 * noise + torch.tensor([100.0, -100.0, 0.0]).view(1, 3, 1, 1)


def normalised(norm, x):
    x.requires_grad_()
    y = norm(x)
    (y**3).sum().backward()
    return y.detach(), x.grad, norm.state_dict()


@pytest.mark.slow
def test_batch_norm_of_two_processes_keeps_a_small_channel_on_a_large_offset(theirs):
    """Sums of squares would not: their difference is rounding, and can be negative."""
    y, gradient, state = normalised(nn.Sequential(tiny_channel_norm()), small_on_large())
    (y1, gradient1, state1), (y2, gradient2, state2) = (results["norm"] for results in theirs)
    torch.testing.assert_close(torch.cat([y1, y2]), y, rtol=1e-3, atol=2e-3)
    torch.testing.assert_close(torch.cat([gradient1, gradient2]), gradient, rtol=1e-2, atol=2)
    for their_state in (state1, state2):
        torch.testing.assert_close(their_state, state, rtol=1e-3, atol=1e-6)
