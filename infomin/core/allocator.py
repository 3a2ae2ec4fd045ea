"""Memory on the CPU: keep what a training step frees for the next step.

A step frees megabytes and allocates the same sizes again. By default glibc returns such blocks to
the system and fetches them anew, page by page: 10 to 20 % of a pretraining step. With this setting
it reuses them, and the process stays at its largest size.
"""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # <malloc.h>: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
_LARGEST = 32 * 2**20  # glibc's limit of M_MMAP_THRESHOLD on 64-bit machines


def keep_freed_memory() -> bool:
    """Set glibc to keep freed memory in this process; return whether that worked."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl lacks it
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST) and mallopt(_TRIM_THRESHOLD, -1))
