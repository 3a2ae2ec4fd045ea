"""How much memory a piece of work takes, by the kernel's own account."""

import ctypes
from collections.abc import Callable
from pathlib import Path

from timing import Measure


def give_back() -> None:
    """Return freed memory to the system: whoever comes next fetches its pages, as all others."""
    ctypes.CDLL(None).malloc_trim(0)


def afresh(measure: Measure) -> Measure:
    """Let a contender start without the memory that others have freed."""

    def measured() -> float:
        give_back()
        return measure()

    return measured


def peak(work: Callable[[], object]) -> float:
    """Return how many bytes a call takes at its peak, once it has been made before."""
    work()
    give_back()
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = _kilobytes("VmRSS")
    work()
    return (_kilobytes("VmHWM") - before) * 1024.0


def _kilobytes(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(field)))
