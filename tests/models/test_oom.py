"""Errors that mean that memory ran out."""

import pytest
import torch

from studio.core.errors import RunFailedError
from studio.models.oom import first_line, ran_out


def on_a_cpu():
    """What the CPU allocator raises, asked for more than there is."""
    torch.empty(2**58, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("injected"), True),
        (MemoryError(), True),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be …"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), True),
        (RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"), False),
        (RunFailedError("Memory ran out with one row at once: CUDA out of memory"), False),
    ],
)
def test_errors_of_memory_are_told_from_others(error, expected):
    assert ran_out(error) is expected


def test_the_cpu_allocator_is_understood_and_said_plainly():
    with pytest.raises(RuntimeError) as caught:
        on_a_cpu()
    assert ran_out(caught.value)
    assert first_line(caught.value).startswith("DefaultCPUAllocator: can't allocate memory")
