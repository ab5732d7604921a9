"""Large blocks of main memory that go back to the system as soon as they are freed.

`benchmarks/heap.py` shows what it is worth on a CPU: 24 % of peak memory, and no time
(docs/memory-plan.md).
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from torch import nn

# `mallopt` of glibc (malloc.h). Every block from this size on gets a mapping of its own.
M_MMAP_THRESHOLD = -3
THRESHOLD = 8 * 2**20
# Read by PyTorch's allocator before its first large block (c10/core/impl/alloc_cpu.cpp): memory
# comes in pages of 2 MiB where the system has them, so that a new mapping costs little.
HUGE_PAGES = "THP_MEM_ALLOC_ENABLE"
MOST_FREE = 256 * 2**20


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


class _Mallinfo2(ctypes.Structure):
    """`struct mallinfo2` of glibc (malloc.h)."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def trim_before_passes(model: nn.Module) -> None:
    """Give what lies free in the heap back to the system before each forward pass of `model`.

    Between two passes nearly all activations are free, but aligned blocks are not put where freed
    ones lay (glibc before 2.38): pass after pass the heap holds old activations beside new ones,
    up to a sixth of all memory. Nothing is done while less than `MOST_FREE` is free; looking takes
    some milliseconds, so models smaller than that are left alone.
    """
    trim = _trimmer()
    if trim is not None and sum(p.nbytes for p in model.parameters()) >= MOST_FREE:
        model.register_forward_pre_hook(trim)


@cache
def _trimmer() -> Callable[..., None] | None:
    """A hook; None for other C libraries than glibc 2.33 and newer."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    if not (hasattr(library, "mallinfo2") and hasattr(library, "malloc_trim")):
        return None
    library.mallinfo2.restype, library.malloc_trim.argtypes = _Mallinfo2, [ctypes.c_size_t]

    def trim(*_: Any) -> None:
        if library.mallinfo2().fordblks > MOST_FREE:
            library.malloc_trim(0)

    return trim
