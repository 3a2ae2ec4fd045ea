"""The place of this process among those of one command."""

import os

_RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID")  # of torchrun, of Fabric, of srun


def is_first_process() -> bool:
    """Return whether this is the only process, or the first of all nodes; it prints and writes."""
    return all(os.environ.get(name, "0") == "0" for name in _RANKS)
