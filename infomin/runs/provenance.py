"""Provenance of a result: command, commit, versions, hardware."""

import platform
import shlex
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from infomin import __version__
from infomin.core import files


def provenance() -> dict[str, Any]:
    """Return command, commit, versions and hardware."""
    import torchvision

    return {
        "command": shlex.join(["python", str(files.shown(Path(sys.argv[0]))), *sys.argv[1:]]),
        "commit": _commit(),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": {
            "infomin": __version__,
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "torchvision": str(torchvision.__version__),
        },
        "hardware": _hardware(),
    }


def record_start(path: Path) -> None:
    """Record the start of a run, or add a resumption to the record."""
    record = provenance()
    if path.is_file():
        start: dict[str, Any] = files.read_json(path)
        start.setdefault("resumed", []).append(record)
        record = start
    files.write_json(path, record)


def record_precision(path: Path, precision: str) -> None:
    """Add the precision to the hardware, because `precision=auto` depends on it."""
    record = files.read_json(path)
    latest = record["resumed"][-1] if "resumed" in record else record
    if not latest["hardware"].endswith(precision):
        latest["hardware"] += f", {precision}"
        files.write_json(path, record)


def _hardware() -> str:
    """Return the name of the accelerator, or of the processor with the number of threads."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    name = str(torch.cpu.get_capabilities().get("cpu_name", platform.processor()))
    threads = torch.get_num_threads()
    return f"{name}, {threads} thread{'s' if threads > 1 else ''}"


def _commit() -> str:
    """Return the commit of the working tree, marked where files differ from it."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, check=True)
        return done.stdout.decode(errors="replace").strip()
    except (OSError, subprocess.CalledProcessError):
        return f"infomin {__version__}"
