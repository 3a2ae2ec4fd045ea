"""Memory on the CPU: what a training step frees is kept for the next one.

A step frees tensors of megabytes and asks for the same again. glibc gives such blocks back to the
system at once and fetches them anew, page by page, which cost a tenth to a fifth of a step of
pretraining. Kept, they are reused; the process stays as large as it was at its largest.
"""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # <malloc.h>: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
_LARGEST = 32 * 2**20  # what glibc accepts as M_MMAP_THRESHOLD on 64-bit machines


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed memory in this process; return whether it could be told."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is None:
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST) and mallopt(_TRIM_THRESHOLD, -1))
