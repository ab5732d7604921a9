"""What is free in the heap goes back to the system before a pass."""

import ctypes
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from studio.training.planning.allocator_heap import MOST_FREE, trim_before_passes

STATUS = Path("/proc/self/status")
SMALL = 64 * 1024  # bytes: in the heap whatever the threshold for mappings is


def resident() -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def some_kept_among_many(count: int) -> list[torch.Tensor]:
    """One of 64 small tensors stays, so that the heap cannot shrink at its end."""
    made = [torch.ones(SMALL // 4) for _ in range(count)]
    return made[63::64]


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallinfo2"),
    reason="another C library",
)
def test_free_memory_goes_back_before_a_pass_of_a_large_model():
    layer, small = nn.Linear(8192, 8192), nn.Linear(4, 4)
    for model in (layer, small):
        trim_before_passes(model)
    assert layer._forward_pre_hooks and not small._forward_pre_hooks
    layer(torch.ones(1, 8192))
    before = resident()
    kept = some_kept_among_many(3 * MOST_FREE // 2 // SMALL)
    held = resident()
    assert held > before + MOST_FREE
    layer(torch.ones(1, 8192))
    assert resident() < held - MOST_FREE // 2
    assert all(bool((tensor == 1).all()) for tensor in kept)
