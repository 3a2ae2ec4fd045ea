"""Device, precision and number of processes: a request is done, or refused in one line."""

import os
from typing import get_args

import pytest
import torch
from lightning_fabric.plugins.precision.precision import (
    _PRECISION_INPUT_STR,
    _PRECISION_INPUT_STR_ALIAS,
)
from refusal import refused
from two import join, together

from infomin.core import files
from infomin.runs.provenance import record_hardware, record_start
from infomin.training import distributed
from infomin.training.distributed import make_fabric
from infomin.training.processes import count_processes

pytestmark = pytest.mark.usefixtures("single")

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
    ("variables", "wanted", "message"),
    [
        (
            {**TORCHRUN, "WORLD_SIZE": "2"},
            {"devices": 1},
            "devices: expected 2, the number of processes that torchrun started, got 1; leave "
            "devices out, or start torchrun with --nproc_per_node=1",
        ),
        ({**TORCHRUN, "WORLD_SIZE": "1"}, {"devices": 2}, "devices: expected 1, .*=2"),
        (
            {**TORCHRUN, "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"},
            {"devices": 4},
            "devices: expected 2, the number of processes on each node that torchrun started",
        ),
        ({**TORCHRUN, "WORLD_SIZE": "2"}, {"nodes": 2}, "nodes: expected 1, .* with --nnodes=2"),
        ({**JOB, **SRUN}, {"devices": 4}, "devices: expected 2, .* with --ntasks-per-node=4"),
        ({**JOB, **SRUN}, {"nodes": 2}, "nodes: expected 1, .* start srun with --nodes=2"),
        ({**JOB, **SRUN, "SLURM_NNODES": "3"}, {}, "devices: expected the same number .* on each"),
        ({}, {"nodes": 2}, "nodes: expected 1 without torchrun or srun, got 2; start the command"),
        ({}, {"nodes": 0}, "nodes: expected a whole number of at least 1, got 0"),
    ],
)
def test_other_processes_than_were_started_are_refused(monkeypatch, variables, wanted, message):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with refused(f"^{message}"):
        make_fabric("cpu", precision="32-true", **wanted)


@pytest.mark.parametrize(
    ("variables", "devices"),
    [
        ({**TORCHRUN, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}, 2),
        ({**TORCHRUN, "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}, 1),
        ({**TORCHRUN, "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "x"}, 4),
        ({**JOB, **SRUN}, 2),
        ({**JOB, **SRUN, "SLURM_STEP_NUM_TASKS": "4", "SLURM_NTASKS": "4", "SLURM_NNODES": "2"}, 4),
        ({**JOB, "SLURM_NTASKS": "1"}, 1),
        ({**JOB, "SLURM_NTASKS": "1"}, 2),  # Fabric starts the second
        ({**JOB, "SLURM_NTASKS": "1", "SLURM_STEP_NUM_TASKS": "1"}, 2),
        ({**JOB, "SLURM_NTASKS": "8"}, 2),  # a script that srun did not start
    ],
)
def test_processes_are_as_many_as_devices(monkeypatch, variables, devices):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    usual = count_processes()
    assert usual.total == (devices if usual.starter else 1), "the environment tells"
    fabric = make_fabric("cpu", "auto" if usual.starter else devices, "32-true")
    assert fabric.world_size == devices
    environment = fabric.strategy.cluster_environment if devices > 1 else None
    if environment is not None:
        started = "WORLD_SIZE" in variables or "SLURM_NTASKS_PER_NODE" in variables
        assert environment.creates_processes_externally == started


def as_one_of_a_job(rank, port, path):
    """Start as a task of a Slurm job does, whose second process is one that Fabric starts."""
    os.environ |= JOB | {"SLURM_NTASKS": "1"}
    join(rank, port)
    torch.save(distributed.gather({0: torch.full((1, 1), float(rank))})[0], path)


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
