"""A process that keeps freed memory allocates it again without new pages."""

import subprocess
import sys

import pytest

# Both processes start from glibc's initial thresholds, fixed: otherwise glibc may raise them by
# itself, and the layout of the heap decides whether it can return the end of it.
COUNT_FAULTS = """
import ctypes, resource, sys
from infomin.core.allocator import _MMAP_THRESHOLD, _TRIM_THRESHOLD, keep_freed_memory
mallopt = ctypes.CDLL(None).mallopt
assert mallopt(_MMAP_THRESHOLD, 2**17) and mallopt(_TRIM_THRESHOLD, 2**17)
if sys.argv[1] == "kept":
    assert keep_freed_memory()
def step():
    return [b"x" * 2**23 for _ in range(4)]  # 8 MiB each, as activations are
for _ in range(3):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(mode):
    command = [sys.executable, "-c", COUNT_FAULTS, mode]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return int(run.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_kept_memory_needs_no_new_pages():
    assert 100 * page_faults("kept") < page_faults("given back")
