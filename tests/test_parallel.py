"""Two processes are one process with the joined batch: same losses, same weights."""

import os
import signal
import socket
from typing import get_args

import pytest
import torch
from lightning_fabric.plugins.precision.precision import (
    _PRECISION_INPUT_STR,
    _PRECISION_INPUT_STR_ALIAS,
)
from refusal import refused
from running import Process
from torch import nn
from trainers import NET, make_trainer

from infomin import ViewGenerator
from infomin.augment import CropFlip, Pipeline, RandAugment
from infomin.augment.color_jitter import ColorJitter
from infomin.core import files, rng
from infomin.core.errors import InputError
from infomin.data import DataSet, ImageSet
from infomin.evaluation.monitoring import Monitor
from infomin.models import build_encoders
from infomin.runs.folder import Run
from infomin.runs.provenance import record_hardware, record_start
from infomin.runs.signals import Interrupted
from infomin.training import distributed
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
    g, train = generator(), ImageSet(images(), torch.arange(40) % 3)
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


def join(rank, port):
    """Become one of two processes, as those that fabric starts are."""
    os.environ |= {"LOCAL_RANK": str(rank), "NODE_RANK": "0", "GLOO_SOCKET_IFNAME": "lo"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    fabric = make_fabric("cpu", 2, "32-true")
    fabric.launch()
    assert (fabric.world_size, fabric.global_rank) == (2, rank)
    return fabric


def together(folder, function, *arguments):
    """Run a function in two processes; return what each saved."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    paths = [folder / f"{rank}.pt" for rank in (0, 1)]
    processes = [
        Process(folder / f"log {rank}", function, rank, port, path, *arguments)
        for rank, path in enumerate(paths)
    ]
    for process in processes:
        assert process.wait() == 0, process.err
        assert process.err == ""
    return [torch.load(path) for path in paths]


MAKERS = [pretraining, combined_pretraining, banked_pretraining, queued_pretraining]
MAKERS += [grouped_pretraining, predictive_pretraining, byol_pretraining, vicreg_pretraining]
MAKERS += [patient_game, supervised_game]


def work_as_one_of_two(rank, port, path):
    """Do everything in one pair of processes: to start them takes longer than the work."""
    fabric = join(rank, port)
    results = {make.__name__: played(make, fabric) for make in MAKERS}
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


def measured(fabric, rank):
    """Only the first process measures; the other one waits for it at the next step."""
    trainer = pretraining(fabric)
    x = ImageSet(images(), torch.arange(40) % 2)
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
    assert together(tmp_path, stop_one_of_two) == [(1, code, True), (1, code, False)]
    assert torch.load(tmp_path / "run" / "checkpoint.pt")["step"] == 1


def test_a_batch_is_shared_evenly_or_refused():
    class Two:
        world_size, global_rank = 2, 1

    assert share.__wrapped__(Two, 12) == slice(6, 12)
    with pytest.raises(InputError, match="^batch 13 does not divide among 2 processes$"):
        share.__wrapped__(Two, 13)


NO_GPU = not torch.cuda.is_available()
FABRICS_WORDS = {*get_args(_PRECISION_INPUT_STR), *get_args(_PRECISION_INPUT_STR_ALIAS), 16, 32, 64}
MEANT = {"32-true": "32-true", "32": "32-true", 32: "32-true"}
MEANT |= {"bf16-mixed": "bf16-mixed", "bf16": "bf16-mixed"}


@pytest.mark.parametrize("precision", sorted(FABRICS_WORDS, key=str))
def test_a_precision_is_what_runs_or_it_is_refused(precision):
    if precision not in MEANT:
        with refused(f"precision: expected one of auto, 32-true, bf16-mixed, got {precision!r}; "):
            make_fabric("cpu", precision=precision)
        return
    fabric = make_fabric("cpu", precision=precision)
    assert fabric.strategy.precision.precision == MEANT[precision]
    with fabric.autocast():
        product = torch.rand(2, 2) @ torch.rand(2, 2)
    wanted = torch.bfloat16 if MEANT[precision] == "bf16-mixed" else torch.float32
    assert product.dtype == wanted


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "tpu"}, "device: expected one of auto, cpu, cuda, mps, got 'tpu'"),
        ({"device": "gpu"}, "device: expected one of auto, cpu, cuda, mps, got 'gpu'"),
        ({"device": "mps"}, "device: torch .* finds no mps device here, got mps; set device=auto"),
        pytest.param(
            {"device": "cuda"},
            "device: torch .* finds no cuda device here, got cuda; set device=auto or device=cpu",
            marks=pytest.mark.skipif(not NO_GPU, reason="there is a GPU"),
        ),
        ({"precision": "8"}, "precision: expected one of auto, .*, got '8'"),
        ({"devices": 0}, "devices: expected a whole number of at least 1, got 0"),
        ({"devices": -1}, "devices: expected a whole number of at least 1, got -1"),
    ],
)
def test_a_device_that_is_not_there_is_refused_in_one_line(options, message):
    with refused(f"^{message}"):
        make_fabric(**{"device": "cpu", "precision": "32-true", **options})


def test_more_gpus_than_there_are_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with refused("^devices: expected at most 2, the cuda devices that torch finds here, got 3"):
        make_fabric("cuda", 3)


TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "RANK": "0", "LOCAL_RANK": "0", "MASTER_PORT": "29500"}
JOB = {"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "train", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
JOB |= {"SLURM_NODEID": "0", "SLURM_NODELIST": "localhost", "SLURM_JOB_NODELIST": "localhost"}
SRUN = {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_STEP_NUM_TASKS": "2"}


@pytest.mark.parametrize(
    ("variables", "devices", "message"),
    [
        ({**TORCHRUN, "WORLD_SIZE": "2"}, 1, "expected 2, the number of processes that torchrun"),
        ({**TORCHRUN, "WORLD_SIZE": "2"}, 3, "got 3; .* without torchrun, or with --nproc_per_n"),
        ({**TORCHRUN, "WORLD_SIZE": "1"}, 2, "expected 1, .* or with --nproc_per_node=2"),
        ({**JOB, **SRUN}, 1, "2, .* srun started, got 1; .* without srun, or with devices=2"),
        ({**JOB, **SRUN}, 4, "expected 2, .* or with --ntasks-per-node=4"),
    ],
)
def test_other_processes_than_were_started_are_refused(monkeypatch, variables, devices, message):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with refused(f"^devices: .*{message}"):
        make_fabric("cpu", devices, "32-true")


@pytest.mark.parametrize(
    ("variables", "devices"),
    [
        ({**TORCHRUN, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}, 2),
        ({**TORCHRUN, "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}, 1),
        ({**JOB, **SRUN}, 2),
        ({**JOB, "SLURM_NTASKS": "1"}, 1),
        ({**JOB, "SLURM_NTASKS": "1"}, 2),  # Fabric starts the second
        ({**JOB, "SLURM_NTASKS": "1", "SLURM_STEP_NUM_TASKS": "1"}, 2),
        ({**JOB, "SLURM_NTASKS": "8"}, 2),  # a script that srun did not start
    ],
)
def test_processes_are_as_many_as_devices(monkeypatch, variables, devices):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    fabric = make_fabric("cpu", devices, "32-true")
    assert fabric.world_size == devices
    environment = fabric.strategy.cluster_environment if devices > 1 else None
    if environment is not None:
        started = "WORLD_SIZE" in variables or "SLURM_NTASKS_PER_NODE" in variables
        assert environment.creates_processes_externally == started


def as_one_of_a_job(rank, port, path):
    """Start as a task of a Slurm job does, whose second process is one that Fabric starts."""
    os.environ |= JOB | {"SLURM_NTASKS": "1"}
    fabric = join(rank, port)
    torch.save(distributed.gather(fabric, torch.full((1, 1), float(rank))), path)


@pytest.mark.slow
def test_two_processes_of_a_job_of_one_task_work_together(tmp_path):
    for joined in together(tmp_path, as_one_of_a_job):
        assert joined.flatten().tolist() == [0, 1]


def test_the_record_says_what_ran(tmp_path, monkeypatch):
    path = tmp_path / "provenance.json"
    record_start(path)
    processor = files.read_json(path)["hardware"]
    record_hardware(path, make_fabric("cpu", 1, "bf16-mixed"))
    assert files.read_json(path)["hardware"] == f"{processor}, bf16-mixed"
    for name, value in {**TORCHRUN, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    record_start(path)
    record_hardware(path, make_fabric("cpu", 2, "32-true"))
    record = files.read_json(path)
    assert record["hardware"] == f"{processor}, bf16-mixed"
    assert record["resumed"][0]["hardware"] == f"{processor}, 2 processes, 32-true"


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
