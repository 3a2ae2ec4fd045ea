"""Launchers of a grid: processes of this machine, or jobs of Slurm."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from infomin.core.errors import InputError, one_of
from infomin.experiments.grid.task import Task, run_all

LAUNCHERS = ("local", "slurm")


@runtime_checkable
class Job(Protocol):
    """The commands of a cell at work."""

    def ended(self) -> bool:
        """Return whether all commands have finished; raise an InputError if one failed."""

    def stop(self) -> None:
        """Ask the running command to save and stop."""

    def wait(self) -> None:
        """Wait for the end of the running command."""


@runtime_checkable
class Launcher(Protocol):
    """A way to run the commands of cells."""

    def start(self, task: Task) -> Job:
        """Start the commands of a cell that are left."""


class Local:
    """Runs commands as processes of this machine, each on the next GPU in turn if there are some.

    Arguments:
        root: folder that holds `scripts/`.
        jobs: number of cells at a time, which share the cores evenly: small networks run faster on
            one core each than together on all.
    """

    def __init__(self, root: Path, jobs: int) -> None:
        self.root, self.threads, self.started = root, max(1, (os.cpu_count() or 1) // jobs), 0
        self.gpus = _gpus()

    def start(self, task: Task) -> "LocalJob":
        """See `Launcher`."""
        environment = os.environ | {"OMP_NUM_THREADS": str(self.threads)}
        if self.gpus:
            environment["CUDA_VISIBLE_DEVICES"] = self.gpus[self.started % len(self.gpus)]
            self.started += 1
        return LocalJob(task, self.root, environment)

    def __str__(self) -> str:
        return f"{self.threads} thread{'s' * (self.threads > 1)} each"


class LocalJob:
    """The commands of a cell in processes, one after another."""

    def __init__(self, task: Task, root: Path, environment: Mapping[str, str]) -> None:
        self.task, self.root, self.environment = task, root, environment
        self.process: subprocess.Popen[bytes] = task.start(root, environment)

    def ended(self) -> bool:
        """See `Job`."""
        status = self.process.poll()
        if status is None:
            return False
        self.task.finish(status)
        if self.task.left:
            self.process = self.task.start(self.root, self.environment)
            return False
        return True

    def stop(self) -> None:
        """See `Job`."""
        self.process.terminate()

    def wait(self) -> None:
        """See `Job`."""
        self.process.wait()


class Slurm:
    """Submits one job for every cell, through submitit.

    Arguments:
        root: folder that holds `scripts/`; all machines see it.
        folder: of the logs of jobs; all machines see it.
        options: of `submitit.AutoExecutor`, such as `{timeout_min: 240, gpus_per_node: 1,
            slurm_partition: gpu}`. `cluster: local` runs the jobs on this machine, as a trial.

    Raises:
        InputError: without submitit, without Slurm, or for an option that it does not have.
    """

    def __init__(self, root: Path, folder: Path, options: Mapping[str, Any]) -> None:
        try:
            import submitit
        except ImportError:
            raise InputError(
                "launcher=slurm: needs submitit; pip install 'infomin[slurm]'"
            ) from None
        self.root, options = root, {"name": "infomin", **options}
        cluster = options.pop("cluster", "slurm")
        one_of("slurm.cluster", cluster, ("slurm", "local"))
        try:
            self.executor = submitit.AutoExecutor(folder=folder, cluster=cluster)
            self.executor.update_parameters(**options)
        except (RuntimeError, NameError, TypeError, ValueError) as error:
            raise InputError(f"launcher=slurm: {' '.join(str(error).split())}") from None

    def start(self, task: Task) -> "SlurmJob":
        """See `Launcher`."""
        return SlurmJob(task, self.executor.submit(run_all, task, self.root))

    def __str__(self) -> str:
        return "one job each"


class SlurmJob:
    """A job that runs all commands of a cell."""

    def __init__(self, task: Task, job: Any) -> None:
        self.task, self.job = task, job

    def ended(self) -> bool:
        """See `Job`."""
        if not self.job.done():
            return False
        try:
            message = self.job.result()
        except Exception as error:  # the job was killed, or did not start
            first = str(error).strip().splitlines()[0]
            message = f"{self.task.cell}: job {self.job.job_id} failed: {first}"
        if message:
            raise InputError(message)
        self.task.read()
        return True

    def stop(self) -> None:
        """See `Job`."""
        self.job.cancel()

    def wait(self) -> None:
        """See `Job`; Slurm waits."""


def _gpus() -> list[str]:
    """Return the GPUs that commands may see, by their numbers or names."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name]
    import torch

    return [*map(str, range(torch.cuda.device_count()))]
