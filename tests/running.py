"""Commands: in one process for many, or where signals and exit codes matter in one each.

A server imports everything once. Processes are forked from it, with standard streams, signals and
an exit code of their own. Their shapes and types are not checked, as in a user's process.
"""

import contextlib
import functools
import io
import multiprocessing
import os
import resource
import runpy
import signal
import sys
import time
import traceback
from importlib import import_module
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    "pytest torch._dynamo torchvision lightning_fabric hydra rich.live torch.utils.tensorboard "
    "matplotlib.figure matplotlib.backends.backend_agg infomin.cli.pretrain "
    "infomin.cli.learn_views infomin.cli.report".split()
)


class Command:
    """A command run in a process that serves many, which takes a tenth of a second instead of ten.

    Runs go to `folder / "runs"`; `code`, `out` and `err` are the exit code and the printed text.
    """

    def __init__(self, folder, name, *overrides):
        self.runs = folder / "runs" / name
        pipe = _server()
        pipe.send((name, [f"out={self.runs.parent}", *overrides], str(Path.cwd()), {**os.environ}))
        assert pipe.poll(300), f"{name} {overrides}: still running after 300 s"
        self.code, self.out, self.err = pipe.recv()

    def wait(self):
        """Return the exit code."""
        return self.code

    @property
    def folders(self):
        """The run folders of this command, the oldest first; names tell no more than seconds."""
        return sorted(self.runs.glob("*"), key=lambda run: run.stat().st_mtime_ns)


@functools.cache
def _server():
    ours, theirs = multiprocessing.Pipe()
    _FORKS.Process(target=_serve, args=(theirs,), daemon=True).start()
    return ours


def _serve(pipe):
    import torch

    torch.set_num_threads(1)
    from infomin.__main__ import commands, main

    for command in commands():  # so that no start is slow enough to be announced
        import_module(f"infomin.cli.{command}")
    while True:
        name, overrides, folder, variables = pipe.recv()
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(variables)
        sys.argv, out, err = [name, *overrides], io.StringIO(), io.StringIO()
        code = 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main(name)
            except SystemExit as end:
                code = end.code
            except BaseException:
                code = traceback.print_exc() or 1
        pipe.send((code, out.getvalue(), err.getvalue()))


class Process:
    """A function in a new process; its stdout and stderr go to files in `folder`."""

    def __init__(self, folder, function, *arguments, file_limit=None):
        folder.mkdir(parents=True, exist_ok=True)
        self._out, self._err = folder / "stdout", folder / "stderr"
        streams = (str(self._out), str(self._err))
        self._process = _FORKS.Process(
            target=_call, args=(streams, file_limit, function, *arguments), daemon=True
        )
        self._process.start()

    def wait(self, seconds=300):
        """Wait for the end and return the exit code, or minus the signal that killed it."""
        self._process.join(seconds)
        assert self._process.exitcode is not None, f"still running after {seconds} s: {self.err}"
        return self._process.exitcode

    @property
    def out(self):
        return self._out.read_text()

    @property
    def err(self):
        return self._err.read_text()


class Script(Process):
    """A script with its overrides; runs go to `folder / "runs"`.

    Arguments:
        signal_at: (step, number) of a signal right after a step.
        file_limit: largest size of a file in bytes.
    """

    def __init__(self, folder, name, *overrides, signal_at=None, file_limit=None):
        self.runs = folder / "runs" / name
        overrides = [f"out={self.runs.parent}", *overrides]
        logs = folder / f"{name}-{time.monotonic_ns()}"
        super().__init__(logs, _run_script, name, overrides, signal_at, file_limit=file_limit)

    @property
    def folders(self):
        """The run folders of this script."""
        return sorted(self.runs.glob("*"))


def _call(streams, file_limit, function, *arguments):
    for number, path in zip((1, 2), streams, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
    import torch

    torch.set_num_threads(1)
    function(*arguments)


def _run_script(name, overrides, signal_at):
    path = SCRIPTS / f"{name}.py"
    sys.argv = [str(path), *overrides]
    sys.path.insert(0, str(SCRIPTS))
    if signal_at is not None:
        _signal_after(*signal_at)
    runpy.run_path(str(path), run_name="__main__")


def _signal_after(step, number):
    from infomin.training.trainer import TrainingLoop

    undisturbed = TrainingLoop.__iter__

    def disturbed(learner):
        for metrics in undisturbed(learner):
            yield metrics
            if learner.step == step:
                os.kill(os.getpid(), number)

    TrainingLoop.__iter__ = disturbed
