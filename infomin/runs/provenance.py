"""Provenance of a result: command, commit, versions, and the hardware that it ran on."""

import platform
import shlex
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from infomin import __version__
from infomin.core import files


def provenance() -> dict[str, Any]:
    """Return command, commit, versions and processor."""
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
        "hardware": _device_name(torch.device("cpu")),
    }


def record_start(path: Path) -> None:
    """Record the start of a run, or add a resumption to the record."""
    record = provenance()
    if path.is_file():
        start: dict[str, Any] = files.read_json(path)
        start.setdefault("resumed", []).append(record)
        record = start
    files.write_json(path, record)


def record_hardware(path: Path, fabric: Fabric) -> None:
    """Record device, number of processes and precision of the latest start, as they are used."""
    record = files.read_json(path)
    latest = record["resumed"][-1] if "resumed" in record else record
    words = [_device_name(fabric.device), fabric.strategy.precision.precision]
    if fabric.world_size > 1:
        words.insert(1, f"{fabric.world_size} processes")
    if latest["hardware"] != ", ".join(words):
        latest["hardware"] = ", ".join(words)
        files.write_json(path, record)


def _device_name(device: torch.device) -> str:
    """Return the name of an accelerator, or of the processor with the number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = str(torch.cpu.get_capabilities().get("cpu_name", platform.processor()))
    if device.type != "cpu":
        return f"{name}, {device.type}"
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
