"""Freed memory is kept: a process that frees and asks again meets no new pages."""

import subprocess
import sys

import pytest

# Both processes start from glibc's initial thresholds, frozen: whether it raises them by itself,
# and whether it can give the end of the heap back, depends on where other things happen to lie.
FAULTS = """
import ctypes, resource, sys, torch
from infomin.core.allocator import _MMAP_THRESHOLD, _TRIM_THRESHOLD, keep_freed_memory
mallopt = ctypes.CDLL(None).mallopt
assert mallopt(_MMAP_THRESHOLD, 2**17) and mallopt(_TRIM_THRESHOLD, 2**17)
if sys.argv[1] == "kept":
    assert keep_freed_memory()
def step():
    return [torch.ones(2**21) for _ in range(16)]  # 8 MB each, as activations are
for _ in range(3):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how):
    run = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return int(run.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_kept_memory_is_not_fetched_anew():
    assert 100 * faults("kept") < faults("given back")
