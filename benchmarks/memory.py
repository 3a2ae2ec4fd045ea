"""Memory of a call, as the kernel counts it."""

import ctypes
from collections.abc import Callable
from pathlib import Path

from timing import Measure


def give_back() -> None:
    """Return freed memory to the system, so that each contender fetches its pages anew."""
    ctypes.CDLL(None).malloc_trim(0)


def afresh(measure: Measure) -> Measure:
    """Return a contender that starts without the memory that others have freed."""

    def measured() -> float:
        give_back()
        return measure()

    return measured


def peak(work: Callable[[], object]) -> float:
    """Return the bytes of a call at its peak; a first call warms up."""
    work()
    give_back()
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # reset the peak
    before = _kilobytes("VmRSS")
    work()
    return (_kilobytes("VmHWM") - before) * 1024.0


def _kilobytes(field: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(field)))
