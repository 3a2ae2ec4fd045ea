"""Number of processes: as many as torchrun or srun started, or as many as are asked for."""

import os
from dataclasses import dataclass
from typing import Literal

from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from infomin.core.errors import InputError, whole_number

Count = int | Literal["auto"]
_OPTIONS = {
    "torchrun": {"devices": "--nproc_per_node", "nodes": "--nnodes"},
    "srun": {"devices": "--ntasks-per-node", "nodes": "--nodes"},
}


@dataclass(frozen=True)
class Processes:
    """Processes of a command.

    Attributes:
        devices: on each node, one device each.
        nodes: machines.
        starter: `torchrun` or `srun`, which started them; empty if the command starts them itself.
    """

    devices: int = 1
    nodes: int = 1
    starter: str = ""

    @property
    def total(self) -> int:
        """Number of all processes."""
        return self.devices * self.nodes

    @property
    def environment(self) -> ClusterEnvironment:
        """Their environment, for Fabric."""
        if self.starter == "torchrun":
            return TorchElasticEnvironment()
        return SLURMEnvironment(False) if self.starter else LightningEnvironment()

    def __str__(self) -> str:
        text = f"{self.total} process{'es' * (self.total > 1)}"
        text += f" on {self.nodes} nodes" * (self.nodes > 1)
        return text + f", started by {self.starter}" * bool(self.starter)


def count_processes(devices: Count = "auto", nodes: Count = "auto") -> Processes:
    """Return the processes that run, or that are to be started.

    Arguments:
        devices: processes on each node; `auto` is as many as torchrun or srun started, or 1.
        nodes: machines; `auto` is as many as torchrun or srun use, or 1.

    Raises:
        InputError: for a number below 1, or another one than torchrun or srun started.
    """
    wanted = {"devices": devices, "nodes": nodes}
    for name, number in wanted.items():
        if number != "auto":
            whole_number(name, number, 1)
    started = _started()
    if started is None:
        if nodes not in ("auto", 1):
            raise InputError(
                f"nodes: expected 1 without torchrun or srun, got {nodes}; start the command on "
                f"every node with torchrun --nnodes={nodes}, or once with srun --nodes={nodes}"
            )
        return Processes(1 if devices == "auto" else devices)
    for name, number in wanted.items():
        known = getattr(started, name)
        if number not in ("auto", known):
            option = f"{_OPTIONS[started.starter][name]}={number}"
            kind = "processes on each node" if name == "devices" and started.nodes > 1 else name
            kind = "processes" if kind == "devices" else kind
            raise InputError(
                f"{name}: expected {known}, the number of {kind} that {started.starter} started, "
                f"got {number}; leave {name} out, or start {started.starter} with {option}"
            )
    return started


def _started() -> Processes | None:
    """Return the processes that torchrun or srun started.

    The number of tasks of a Slurm job says nothing: a command runs once unless srun starts it.
    """
    known = os.environ
    tasks = int(known.get("SLURM_STEP_NUM_TASKS", 1))
    if TorchElasticEnvironment.detect():
        starter, total = "torchrun", int(known["WORLD_SIZE"])
        here = int(known.get("LOCAL_WORLD_SIZE", total))
        return Processes(here, total // here, starter)
    if tasks > 1:
        machines = int(known.get("SLURM_STEP_NUM_NODES", known.get("SLURM_NNODES", 1)))
        if tasks % machines:
            raise InputError(
                f"devices: expected the same number of processes on each of {machines} nodes, srun "
                f"started {tasks} in all; start srun with --ntasks-per-node=N"
            )
        return Processes(tasks // machines, machines, "srun")
    return None
