"""Which errors mean that memory ran out, on a GPU or beside it."""

from __future__ import annotations

import re

import torch

from studio.core import errors

MEMORY_ERRORS = (MemoryError, RuntimeError)
"""What to catch before asking `ran_out`; `torch.OutOfMemoryError` is a `RuntimeError`."""

# What PyTorch's allocators and CUDA's libraries write: c10 `alloc_cpu.cpp`, the CUDA, XPU and MPS
# allocators ("CUDA out of memory", "CUDA error: out of memory"), cuBLAS and cuDNN handles.
SIGNS = re.compile(
    r"out of memory|can't allocate memory|Cannot allocate memory|std::bad_alloc"
    r"|CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_ALLOC_FAILED"
)
CHECK = re.compile(r"^\[enforce fail at [^\]]*\]\s*(?:err == 0\.\s*)?")


def ran_out(error: BaseException) -> bool:
    """Return whether `error` says that memory ran out; false for what is already told in our own
    words.
    """
    if isinstance(error, errors.StudioError):
        return False
    typed = isinstance(error, (MemoryError, torch.OutOfMemoryError))
    return typed or bool(SIGNS.search(str(error)))


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, without the check in PyTorch's code that failed."""
    return CHECK.sub("", errors.first_line(error))
