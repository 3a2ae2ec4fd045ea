"""Checkpoints: the complete state of a training loop.

Loading uses `weights_only=True`: it reads tensors and plain values and executes nothing.
"""

import io
import pickle
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from infomin.core import files
from infomin.core.errors import InputError
from infomin.training.trainer import TrainingLoop


def save(path: Path, loop: TrainingLoop, seconds: float = 0.0) -> None:
    """Write the state of a loop and the duration of its run, whole or not at all."""
    _write(path, {"seconds": seconds, **loop.state_dict()})


class BackgroundSaver:
    """Writes checkpoints in a thread, from a copy in the memory of the host.

    Arguments:
        path: of the checkpoint.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._thread = ThreadPoolExecutor(1, "infomin-save")
        self._writing: Future[None] | None = None

    def start(self, loop: TrainingLoop, seconds: float) -> None:
        """Copy the state of a loop, and begin to write it.

        Raises:
            NotWritten: when the checkpoint before could not be written.
        """
        self.wait()
        state = _copied({"seconds": seconds, **loop.state_dict()})
        self._writing = self._thread.submit(_write, self.path, state)

    def wait(self) -> None:
        """Wait until the last checkpoint is written; see `start` for its errors."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()


def _copied(state: Any) -> Any:
    """Return a copy of nested containers, with their tensors on the CPU."""
    if isinstance(state, Tensor):
        return state.detach().to("cpu", copy=True)
    if isinstance(state, dict):
        return {name: _copied(value) for name, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(map(_copied, state))
    return state


def _write(path: Path, state: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    files.write_bytes(path, buffer.getvalue())


def restore(path: Path, loop: TrainingLoop) -> float:
    """Restore the state of a loop; return the duration of its run so far, in seconds.

    Raises:
        InputError: when the file is damaged or belongs to another run.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        loop.load_state_dict(state)
        return float(state["seconds"])
    except (OSError, pickle.UnpicklingError, RuntimeError, KeyError, ValueError, EOFError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: is not a checkpoint of this run ({reason})") from None
