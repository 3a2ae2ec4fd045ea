"""Checkpoints: the whole state of a learner, written under a temporary name and renamed.

Loading uses `weights_only=True`: tensors and plain values, nothing that could be executed.
"""

import io
import pickle
from pathlib import Path

import torch

from infomin.core import files
from infomin.core.errors import InputError
from infomin.training.trainer import TrainingLoop


def save(path: Path, learner: TrainingLoop, seconds: float = 0.0) -> None:
    """Write a learner's state and its run's seconds; the old file stays until this is whole."""
    buffer = io.BytesIO()
    torch.save({"seconds": seconds, **learner.state_dict()}, buffer)
    files.write_bytes(path, buffer.getvalue())


def restore(path: Path, learner: TrainingLoop) -> float:
    """Put a learner back to a saved state; return how long its run had lasted, in seconds.

    Raises:
        InputError: when the file is damaged or of another run.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        learner.load_state_dict(state)
        return float(state["seconds"])
    except (OSError, pickle.UnpicklingError, RuntimeError, KeyError, ValueError, EOFError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: is not a checkpoint of this run ({reason})") from None
