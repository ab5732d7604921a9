"""Large blocks of main memory that go back to the system as soon as they are freed."""

from __future__ import annotations

import ctypes
import sys

# `mallopt` of glibc (malloc.h). Every block from this size on gets a mapping of its own.
M_MMAP_THRESHOLD = -3
THRESHOLD = 512 * 1024


def return_freed_memory() -> bool:
    """Keep the C library from holding freed tensors back; whether it could be told.

    glibc raises its threshold for mappings up to 32 MiB as blocks are freed, and from then on
    activations lie in a heap that can only shrink at its end: training on a CPU holds up to a
    third more memory than its tensors take. A fixed threshold ends that. Other C libraries and
    allocators are left as they are.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(M_MMAP_THRESHOLD, THRESHOLD) == 1
