"""The place where images wait for their batch: the memory of the device, or that of the host.

Images that are not in the memory of the device are gathered on the host and sent batch by batch.
Decoded images of a cache stay in their file, which the operating system reads as needed.
"""

from contextlib import suppress
from pathlib import Path

import psutil
import torch

from infomin.core import files
from infomin.core.errors import InputError
from infomin.data.images import DataSet
from infomin.data.source import size_in_bytes

SHARE = 0.5
"""Share of the free memory that images may take where `data.keep=auto` chooses."""
_CGROUP = Path("/sys/fs/cgroup")  # limits of a container: versions 2 and 1
_LIMITS = (
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)
_SAID_FROM = 10**9  # bytes of images from which the choice of `auto` is said


def place(data: DataSet, device: torch.device, processes: int = 1) -> tuple[DataSet, str]:
    """Put images where `data.keep` says, once; return them, and a line for people or nothing.

    Arguments:
        data: its `keep` is `device`, the memory of the device that trains; `mapped`, where they
            are; or `auto`, `device` if the images take at most half of its free memory.
        device: that trains.
        processes: number of those that share the memory of a CPU, each with a copy.
    """
    need = size_in_bytes(data.train.source) + size_in_bytes(data.test.source)
    free, keep = free_memory(device), data.keep
    free = free // processes if device.type == "cpu" else free
    if keep == "auto":
        keep = "device" if need <= SHARE * free else "mapped"
    where = f"in the memory of {device}" if keep == "device" else "read batch by batch"
    line = f"data {data.name}: {in_words(need)} of images, {where} ({in_words(free)} free there)"
    said = keep == "mapped" or data.keep == "device" or need >= _SAID_FROM
    return data.to(device) if keep == "device" else data, line if said else ""


def free_memory(device: torch.device) -> int:
    """Return the bytes of memory that are free on a device; on the CPU within all limits."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    free = [psutil.virtual_memory().available]
    for limit, used in _LIMITS:
        with suppress(InputError, ValueError):  # no container, or no limit, which is "max"
            most, now = (int(files.read_text(_CGROUP / name)) for name in (limit, used))
            free.append(most - now)
    return max(0, min(free))


def in_words(count: int) -> str:
    """Return a number of bytes in words, such as 1.2 GB."""
    power = min(3, max(1, len(str(count)) - 1) // 3)
    return f"{count / 1000**power:.3g} {('bytes', 'kB', 'MB', 'GB')[power]}"
