"""Checkpoints: the complete state of a training loop.

Loading uses `weights_only=True`: it reads tensors and plain values and executes nothing.
"""

import io
import pickle
from pathlib import Path

import torch

from infomin.core import files
from infomin.core.errors import InputError
from infomin.training.trainer import TrainingLoop


def save(path: Path, loop: TrainingLoop, seconds: float = 0.0) -> None:
    """Write the state of a loop and the duration of its run, whole or not at all."""
    buffer = io.BytesIO()
    torch.save({"seconds": seconds, **loop.state_dict()}, buffer)
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
