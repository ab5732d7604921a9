"""Large blocks of main memory that go back to the system as soon as they are freed."""

from __future__ import annotations

import ctypes
import os
import sys

# `mallopt` of glibc (malloc.h). Every block from this size on gets a mapping of its own.
M_MMAP_THRESHOLD = -3
THRESHOLD = 8 * 2**20
# Read by PyTorch's allocator before its first large block (c10/core/impl/alloc_cpu.cpp): memory
# comes in pages of 2 MiB where the system has them, so that a new mapping costs little.
HUGE_PAGES = "THP_MEM_ALLOC_ENABLE"


def return_freed_memory() -> bool:
    """Keep the C library from holding freed tensors back; whether it could be told.

    glibc raises its threshold for mappings up to 32 MiB as blocks are freed, and from then on
    activations lie in a heap that can only shrink at its end: training on a CPU holds up to a
    third more memory than its tensors take. A fixed threshold ends that; below some MiB it would
    cost more time, in page faults, than it saves memory. To be called before tensors are made.
    Other C libraries and allocators are left as they are.
    """
    if sys.platform != "linux":
        return False
    os.environ.setdefault(HUGE_PAGES, "1")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(M_MMAP_THRESHOLD, THRESHOLD) == 1
