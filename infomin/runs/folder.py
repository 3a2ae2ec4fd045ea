"""A run: one folder with its configuration, provenance, metrics, pictures and checkpoint.

    runs/learn_views/20260131-120000-semi-s0/
        config.yaml  provenance.json  metrics.jsonl  events.*  checkpoint.pt  result.json  pictures/

`result.json` is written last: a run without it is unfinished, and `resume=true` goes on with the
newest unfinished run of the same configuration.
"""

import json
import math
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from infomin.runs import checkpoint, hparams, settings, signals
from infomin.core import files
from infomin.training import distributed as parallel
from infomin.core.errors import InputError
from infomin.runs.progress import Progress
from infomin.runs.provenance import provenance
from infomin.training.learner import Diverged, Learner, Metrics

_LOG_EVERY = 10  # steps between logged metrics
CONFIG, RESULT, CHECKPOINT = "config.yaml", "result.json", "checkpoint.pt"
METRICS, DIVERGED, PROVENANCE = "metrics.jsonl", "diverged.pt", "provenance.json"


class Run:
    """The folder of one run, and what is written into it.

    Arguments:
        folder: made if need be.
        config: the full configuration, as YAML.
        main: whether this process is the one that writes.
        stream: where progress goes; None shows nothing.

    Attributes:
        say: shows a line beside the progress, while a learner is followed.
    """

    def __init__(
        self, folder: Path, config: str, main: bool = True, stream: TextIO | None = sys.stderr
    ) -> None:
        self.folder, self.main, self.stream = folder, main, stream if main else None
        self.config = config
        self.began = time.perf_counter()
        self.checkpoint = folder / CHECKPOINT
        self.rate: dict[str, float] = {}
        self.say: Callable[[str], None] = lambda line: None
        self._board: Any = None
        self._purge: int | None = None
        if main:
            files.make_folder(folder)
            files.write_bytes(folder / CONFIG, config.encode())
            files.write_json(folder / PROVENANCE, _origin(folder / PROVENANCE))

    @classmethod
    def open(
        cls,
        out: str,
        kind: str,
        name: str,
        config: str,
        resume: bool | str = False,
        main: bool = True,
    ) -> "Run":
        """Start a new run, or go back to an unfinished one.

        Arguments:
            out: folder of all runs.
            kind: which script.
            name: what tells runs apart at a glance.
            config: as YAML, without `resume`.
            resume: true for the newest unfinished run of this configuration, or its folder.
            main: whether this process writes.

        Raises:
            InputError: when there is nothing to resume, or `out` cannot be written.
        """
        runs = Path(out) / kind
        if resume:
            folder = Path(resume) if isinstance(resume, str) else _unfinished(runs, config)
            if not (folder / CONFIG).is_file():
                raise InputError(f"resume: {folder} is not a run")
            if (folder / RESULT).exists():
                raise InputError(f"resume: {folder} is finished; start without resume")
            if (folder / CONFIG).read_text() != config:
                raise InputError(f"resume: {folder} was started with another configuration")
            if main:
                files.remove_temporary(folder)
            return cls(folder, config, main)
        if main:
            files.make_folder(runs)
        stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
        folder = runs / f"{stamp}-{name}"
        for again in range(2, 100):
            if not folder.exists():
                break
            folder = runs / f"{stamp}-{name}-{again}"
        return cls(folder, config, main)

    def follow(self, learner: Learner, label: str, save_every: float = 30.0) -> Iterator[Metrics]:
        """Iterate over a learner; show, log and save on the way; stop cleanly on a signal.

        A checkpoint is saved every `save_every` seconds and at a signal, after which all processes
        stop at the same step, whichever of them it came to. At a NaN the state goes into a file of
        its own, and the last good checkpoint stays.

        Raises:
            signals.Interrupted: after Ctrl-C or SIGTERM, with the state saved.
            InputError: when the loss is not finite; says the step and the checkpoint.
        """
        if self.checkpoint.is_file():
            self.began -= checkpoint.restore(self.checkpoint, learner)
        self.forget_after(learner.step)
        self._computes_in(learner.fabric.strategy.precision.precision)
        saved = time.perf_counter()
        with Progress(learner, label, self.stream) as progress, signals.collected() as received:
            self.say = progress.say
            try:
                for metrics in learner:
                    progress.update(metrics)
                    if learner.step % _LOG_EVERY == 0 or learner.step == learner.steps:
                        self.log(learner.step, metrics)
                    given = time.perf_counter()
                    yield metrics
                    progress.pause(time.perf_counter() - given)
                    if number := parallel.agreed(learner.fabric, received[0] if received else 0):
                        self.save(learner)
                        told = (
                            f"stopped at step {learner.step} of {learner.steps}, saved in "
                            f"{self.folder}; resume=true goes on"
                        )
                        raise signals.Interrupted(number, told if self.main else "")
                    if time.perf_counter() - saved > save_every:
                        self.save(learner)
                        saved = time.perf_counter()
            except Diverged as error:
                good = f"the last good checkpoint is {self.checkpoint}"
                if not self.checkpoint.is_file():
                    good = "there was no checkpoint before it"
                if self.main:
                    checkpoint.save(self.folder / DIVERGED, learner)
                raise InputError(
                    f"{error}; the state is saved in {self.folder / DIVERGED}, {good}; try a "
                    "smaller learning rate or precision=32-true"
                ) from None
            self.rate = {
                "images_per_second": progress.images_per_second,
                "waiting": progress.waiting,
            }
        self.save(learner)

    def save(self, learner: Learner) -> None:
        """Write a checkpoint, and what TensorBoard holds back."""
        if self.main:
            checkpoint.save(self.checkpoint, learner, time.perf_counter() - self.began)
            if self._board is not None:
                self._board.flush()

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Add metrics to the JSON lines and to TensorBoard."""
        if not self.main:
            return
        files.append(self.folder / METRICS, json.dumps({"step": step, **metrics}) + "\n")
        for name, value in metrics.items():
            self.board.add_scalar(name, value, step)

    def _computes_in(self, precision: str) -> None:
        """Keep the precision beside the hardware: what `precision=auto` chooses depends on it."""
        if not self.main:
            return
        path = self.folder / PROVENANCE
        told = files.read_json(path)
        now = told["resumed"][-1] if "resumed" in told else told
        if not now["hardware"].endswith(precision):
            now["hardware"] += f", {precision}"
            files.write_json(path, told)

    def forget_after(self, step: int) -> None:
        """Drop what was logged after a step, when a run goes back to it."""
        self._purge = step + 1
        path = self.folder / METRICS
        if self.main and path.is_file():
            lines = [line for line in path.read_text().splitlines() if _step(line) <= step]
            files.write_bytes(path, "".join(f"{line}\n" for line in lines).encode())

    def logged(self, name: str) -> list[dict[str, float]]:
        """Return the logged metrics that hold one of this name, with their steps."""
        path = self.folder / METRICS
        lines = path.read_text().splitlines() if path.is_file() else []
        return [m for m in map(json.loads, lines) if name in m]

    def curve(self, name: str, points: int = 100) -> list[list[float]]:
        """Return [step, value] of one logged metric, neighbours averaged to at most `points`.

        Empty for a metric that was never logged.
        """
        logged = [(m["step"], m[name]) for m in self.logged(name)]
        width = max(1, math.ceil(len(logged) / points))
        parts = [logged[i : i + width] for i in range(0, len(logged), width)]
        return [[p[-1][0], round(sum(value for _, value in p) / len(p), 4)] for p in parts]

    @property
    def board(self) -> Any:
        """The TensorBoard writer, opened at first use."""
        if self._board is None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(self.folder), purge_step=self._purge)
        return self._board

    def place(self, name: str) -> Path:
        """Return the path of a folder to be made in this run; a killed run may have left one."""
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        return path

    def picture(self, name: str, figure: Any, step: int = 0) -> Path:
        """Save a matplotlib figure as PNG, and show it in TensorBoard."""
        folder = files.make_folder(self.folder / "pictures")
        path = folder / f"{name}.png"
        files.write_figure(path, figure)
        self.board.add_figure(name, figure, step)
        return path

    def finish(self, result: Mapping[str, Any]) -> Path:
        """Write the result, which marks the run as finished; return its path.

        TensorBoard's HParams tab gets the configuration and what of the result is a number.
        """
        seconds = round(time.perf_counter() - self.began, 1)
        path = self.folder / RESULT
        if self.main:
            with suppress(Exception):  # a tab of TensorBoard is no reason to lose a run
                hparams.write(self.board, settings.read(self.config), result)
            files.write_json(path, {**result, "seconds": seconds})
            if self._board is not None:
                self._board.close()
        return path


def _origin(path: Path) -> dict[str, Any]:
    """Return where a run comes from: its start, and every time it was resumed."""
    if not path.is_file():
        return provenance()
    started: dict[str, Any] = files.read_json(path)
    started.setdefault("resumed", []).append(provenance())
    return started


def newest(out: str, kind: str, inside: str) -> Path:
    """Return the newest `inside` of a finished run of one kind.

    Raises:
        InputError: when there is none.
    """
    found = [
        result.parent / inside
        for result in Path(out).glob(f"{kind}/*/{RESULT}")
        if (result.parent / inside).exists()
    ]
    if not found:
        raise InputError(
            f"no finished run of scripts/{kind}.py in {Path(out).absolute()}; run it first, or "
            "name a path"
        )
    return max(found, key=lambda path: (path.parent / RESULT).stat().st_mtime_ns)


def _unfinished(runs: Path, config: str) -> Path:
    same = [
        path.parent
        for path in runs.glob(f"*/{CONFIG}")
        if not (path.parent / RESULT).exists() and path.read_text(encoding="utf-8") == config
    ]
    if not same:
        raise InputError(
            f"resume: no unfinished run of this configuration in {runs}; start without resume"
        )
    return max(same, key=lambda path: path.stat().st_mtime_ns)


def _step(line: str) -> float:
    """Return the step of a logged line; a line cut off by a kill counts as after everything."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError):
        return float("inf")
