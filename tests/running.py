"""Real processes without the price of their imports.

A server imports the libraries once; every script under test is a process forked from it, with its
own standard streams, signals and exit code.
"""

import json
import multiprocessing
import os
import resource
import runpy
import signal
import sys
import time
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    "pytest torch._dynamo torchvision lightning_fabric hydra rich.live torch.utils.tensorboard "
    "matplotlib.figure matplotlib.backends.backend_agg".split()
)


class Process:
    """A function in a process of its own; what it writes goes to files in `folder`."""

    def __init__(self, folder, function, *arguments, file_limit=None):
        folder.mkdir(parents=True, exist_ok=True)
        self._out, self._err = folder / "stdout", folder / "stderr"
        streams = (str(self._out), str(self._err))
        self._process = _FORKS.Process(
            target=_call, args=(streams, file_limit, function, *arguments), daemon=True
        )
        self._process.start()

    def wait(self, seconds=120):
        """Wait for the end and return the exit code: minus the signal that killed it."""
        self._process.join(seconds)
        assert self._process.exitcode is not None, f"still running after {seconds} s: {self.err}"
        return self._process.exitcode

    def signal(self, number):
        os.kill(self._process.pid, number)

    @property
    def alive(self):
        return self._process.is_alive()

    @property
    def out(self):
        return self._out.read_text()

    @property
    def err(self):
        return self._err.read_text()


class Script(Process):
    """A script with its overrides; runs go to `folder / "runs"`."""

    def __init__(self, folder, name, *overrides, file_limit=None):
        self.runs = folder / "runs"
        self.kind = name
        told = [f"out={self.runs}", *overrides]
        logs = folder / f"{name}-{time.monotonic_ns()}"
        super().__init__(logs, _run_script, name, told, file_limit=file_limit)

    @property
    def folders(self):
        """Its run folders, oldest first."""
        return sorted(self.runs.glob(f"{self.kind}/*"), key=lambda path: path.stat().st_ctime_ns)

    def wait_for_step(self, step, seconds=60):
        """Wait until a step of the newest run was logged and saved; return that run."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.alive, f"ended before step {step}: {self.err}"
            if self.folders and (self.folders[-1] / "checkpoint.pt").exists():
                lines = metrics_lines(self.folders[-1])
                if lines and lines[-1].endswith("}") and json.loads(lines[-1])["step"] >= step:
                    return self.folders[-1]
            time.sleep(0.002)
        raise AssertionError(f"did not reach step {step} within {seconds} s: {self.err}")


def metrics_lines(run):
    path = run / "metrics.jsonl"
    return path.read_text().splitlines() if path.exists() else []


def _call(streams, file_limit, function, *arguments):
    for number, path in zip((1, 2), streams, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
    import torch

    torch.set_num_threads(1)
    function(*arguments)


def _run_script(name, overrides):
    path = SCRIPTS / f"{name}.py"
    sys.argv = [str(path), *overrides]
    sys.path.insert(0, str(SCRIPTS))
    runpy.run_path(str(path), run_name="__main__")
