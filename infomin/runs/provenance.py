"""Where a result comes from: command, commit, versions, hardware."""

import os
import platform
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from infomin import __version__


def provenance() -> dict[str, Any]:
    """Tell what ran: command, commit, versions, hardware; a run adds the precision to the last."""
    import torchvision

    return {
        "command": " ".join(
            ["python", *(os.path.relpath(a) if i == 0 else a for i, a in enumerate(sys.argv))]
        ),
        "commit": _commit(),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": {
            "infomin": __version__,
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "torchvision": str(torchvision.__version__),
        },
        "hardware": hardware(),
    }


def hardware() -> str:
    """Name the processor or accelerator in a few words."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    name = str(torch.cpu.get_capabilities().get("cpu_name", platform.processor()))
    threads = torch.get_num_threads()
    return f"{name}, {threads} thread{'s' if threads > 1 else ''}"


def _commit() -> str:
    """Return the commit of the working tree, marked where files differ from it."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return f"infomin {__version__}"
