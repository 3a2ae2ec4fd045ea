"""A run: one folder with its configuration, provenance, metrics, pictures and checkpoint.

    runs/learn_views/20260131-120000-semi-s0/
        config.yaml  provenance.json  metrics.jsonl  events.*  checkpoint.pt  result.json  pictures/

A run writes `result.json` last: without it, the run is unfinished. `resume=true` continues the
newest unfinished run of the same configuration.
"""

import json
import math
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from infomin.core import files
from infomin.core.errors import InputError
from infomin.core.names import file_name
from infomin.runs import checkpoint, settings, signals
from infomin.runs.lookup import (
    CONFIG,
    RESULT,
    folder_to_resume,
    new_folder,
    unfinished,
)
from infomin.runs.progress import Progress
from infomin.runs.provenance import record_hardware, record_start
from infomin.training.trainer import Diverged, Metrics, TrainingLoop

_LOG_EVERY = 10  # steps between logged metrics
_SHARE_OF_SAVING = 0.01  # of the time of a training, at most, for checkpoints along the way
CHECKPOINT = "checkpoint.pt"
METRICS, DIVERGED, PROVENANCE = "metrics.jsonl", "diverged.pt", "provenance.json"


class Run:
    """The folder of one run.

    Arguments:
        folder: made if it does not exist.
        config: the full configuration as YAML.
        main: whether this process writes.
        show: whether this process shows progress.

    Attributes:
        speed: images per second and the share of time spent waiting for data, after training.
    """

    def __init__(self, folder: Path, config: str, main: bool = True, show: bool = True) -> None:
        self.folder, self.config, self.main, self.show = folder, config, main, show and main
        self.began = time.perf_counter()
        self.checkpoint = folder / CHECKPOINT
        self.speed: dict[str, float] = {}
        self._progress: Progress | None = None
        self._board: Any = None
        self._purge: int | None = None
        if main:
            files.make_folder(folder)
            files.write_text(folder / CONFIG, config)
            record_start(folder / PROVENANCE)

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
        """Start a new run, or continue an unfinished one.

        Arguments:
            out: folder of all runs.
            kind: name of the command.
            name: a short description for the name of the folder.
            config: YAML without `resume`.
            resume: true for the newest unfinished run of this configuration, `auto` for a new one
                where there is none, or a run folder.
            main: whether this process writes.

        Raises:
            InputError: when there is nothing to resume, or `out` is not writable.
        """
        runs = files.user_path(out) / kind
        if resume == "auto":
            resume = unfinished(runs, config) is not None
        if resume:
            folder = folder_to_resume(runs, config, resume)
            if main:
                files.remove_temporary(folder)
        else:
            stem = f"{datetime.now():%Y%m%d-%H%M%S}-{file_name(name)}"
            folder = new_folder(files.make_folder(runs), stem) if main else runs / stem
        return cls(folder, config, main)

    def follow(self, loop: TrainingLoop, label: str, save_every: float = 30.0) -> Iterator[Metrics]:
        """Iterate over a training loop; show progress, log metrics and save checkpoints.

        Saves a checkpoint every `save_every` seconds in the background, at the end and at a signal.
        Training waits at most 1 % of its time for them: larger ones are saved less often, unless
        `save_every` is 0. A signal to one process stops all processes at the same step. A loss of
        NaN saves the state to a second file, so that the last good checkpoint stays.

        Raises:
            signals.Interrupted: after a signal to stop, when the state is saved.
            InputError: when the loss is not finite; the text has the step and the checkpoint.
        """
        if self.checkpoint.is_file():
            self.began -= checkpoint.restore(self.checkpoint, loop)
        self._drop_metrics_after(loop.step)
        if self.main:
            record_hardware(self.folder / PROVENANCE, loop.fabric)
            _ = self.board  # imports TensorBoard, which is no part of the training
        saved, pause = time.perf_counter(), save_every
        saver = checkpoint.BackgroundSaver(self.checkpoint)
        with Progress(loop, label, self.show) as progress, signals.collected() as received:
            self._progress, loop.received = progress, received
            try:
                for metrics in loop:
                    progress.update(metrics)
                    if loop.step % _LOG_EVERY == 0 or loop.step == loop.steps:
                        self.log(loop.step, metrics)
                    paused = time.perf_counter()
                    yield metrics
                    progress.pause(time.perf_counter() - paused)
                    alone = loop.fabric.world_size == 1
                    if number := (next(iter(received), 0) if alone else loop.stop):
                        saver.wait()
                        self.save(loop)
                        text = (
                            f"stopped at step {loop.step} of {loop.steps}, saved in "
                            f"{files.shown(self.folder)}; resume=true goes on"
                        )
                        raise signals.Interrupted(number, text if self.main else "")
                    if self.main and time.perf_counter() - saved > pause:
                        began = time.perf_counter()
                        saver.start(loop, began - self.began)
                        self.board.flush()
                        saved = time.perf_counter()
                        least = (saved - began) / _SHARE_OF_SAVING
                        pause = max(save_every, least) if save_every else 0.0
            except Diverged as error:
                saver.wait()
                raise InputError(f"{error}; {self._save_diverged(loop)}") from None
            finally:
                self._progress = None
        saver.wait()
        self.speed = {
            "images_per_second": progress.images_per_second,
            "waiting": progress.waiting,
        }
        self.save(loop)

    def show_line(self, text: str) -> None:
        """Show a line above the progress, while `follow` runs."""
        if self._progress:
            self._progress.show_line(text)

    def save(self, loop: TrainingLoop) -> None:
        """Write a checkpoint and flush TensorBoard's events."""
        if self.main:
            checkpoint.save(self.checkpoint, loop, time.perf_counter() - self.began)
            if self._board is not None:
                self._board.flush()

    def log(self, step: int, metrics: Mapping[str, float]) -> None:
        """Add metrics to the JSON lines and to TensorBoard."""
        if not self.main:
            return
        files.append(self.folder / METRICS, json.dumps({"step": step, **metrics}) + "\n")
        for name, value in metrics.items():
            self.board.add_scalar(name, value, step)

    def logged(self, name: str) -> list[dict[str, float]]:
        """Return the logged metrics that contain a name, with their steps."""
        return [metrics for metrics in map(json.loads, self._lines()) if name in metrics]

    def curve(self, name: str, points: int = 100) -> list[list[float]]:
        """Return [step, value] of a logged metric; means of neighbours, at most `points`.

        Empty for a metric that was not logged.
        """
        logged = [(m["step"], m[name]) for m in self.logged(name)]
        width = max(1, math.ceil(len(logged) / points))
        bins = [logged[i : i + width] for i in range(0, len(logged), width)]
        return [[b[-1][0], round(sum(value for _, value in b) / len(b), 4)] for b in bins]

    @property
    def board(self) -> Any:
        """The TensorBoard writer, opened at first use."""
        if self._board is None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(files.plain_path(self.folder), purge_step=self._purge)
        return self._board

    def product_folder(self, name: str) -> Path:
        """Return the path for a product of this run; remove what a killed run left there."""
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        return files.shown(path)

    def save_picture(self, name: str, figure: Any, step: int = 0) -> Path:
        """Save a matplotlib figure as PNG, add it to TensorBoard, and return its path."""
        path = files.make_folder(self.folder / "pictures") / f"{name}.png"
        files.write_figure(path, figure)
        self.board.add_figure(name, figure, step)
        return files.shown(path)

    def finish(self, result: Mapping[str, Any]) -> Path:
        """Write the result, which marks the run as finished, and return its path.

        TensorBoard's HParams tab shows the configuration and the numbers of the result.
        """
        seconds = round(time.perf_counter() - self.began, 1)
        path = self.folder / RESULT
        if self.main:
            with suppress(Exception):  # a tab of TensorBoard is no reason to lose a run
                settings.write_hparams(self.board, settings.read(self.config), result)
            files.write_json(path, {**result, "seconds": seconds})
            if self._board is not None:
                self._board.close()
        return files.shown(path)

    def _lines(self) -> list[str]:
        path = self.folder / METRICS
        return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []

    def _drop_metrics_after(self, step: int) -> None:
        """Drop logged metrics of later steps, when a run goes back to a step."""
        self._purge = step + 1
        if self.main and (lines := self._lines()):
            kept = "".join(f"{line}\n" for line in lines if _step(line) <= step)
            files.write_text(self.folder / METRICS, kept)

    def _save_diverged(self, loop: TrainingLoop) -> str:
        """Save a state whose loss is not finite; return the advice for the user."""
        path = self.folder / DIVERGED
        if self.main:
            checkpoint.save(path, loop)
        good = "there is no checkpoint before it"
        if self.checkpoint.is_file():
            good = f"the last good checkpoint is {files.shown(self.checkpoint)}"
        return (
            f"the state is saved in {files.shown(path)}, {good}; try a smaller learning rate or "
            "precision=32-true"
        )


def _step(line: str) -> float:
    """Return the step of a logged line; infinity for a line that a kill cut off."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError):
        return math.inf
