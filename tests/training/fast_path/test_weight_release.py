"""Weights given back to their file: less memory, the same numbers, nothing ever lost."""

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from studio.training.fast_path.weight_release import give_back

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pages are forgotten on Linux")
NUMBERS = 4_000_000


@pytest.fixture
def weights(tmp_path):
    """Two tensors as safetensors maps them."""
    save_file({name: torch.arange(NUMBERS) + n for n, name in enumerate("ab")}, tmp_path / "w")
    return load_file(tmp_path / "w")


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_pages_go_and_come_back(weights):
    total = weights["a"].sum()
    before = resident()
    freed = give_back([weights["a"]])
    assert 0.99 < freed / weights["a"].nbytes <= 1
    assert before - resident() > 0.8 * freed
    assert weights["a"].sum() == total
    assert torch.equal(weights["b"], torch.arange(NUMBERS) + 1)
    assert give_back([weights["b"][:1_000_000]]) == 0, "8 MB are not worth the time"


def test_what_was_written_to_stays(weights):
    weights["b"][5] = -7
    assert give_back(weights.values()) == 0
    assert weights["b"][5] == -7
    assert give_back([torch.ones(NUMBERS)]) == 0 and give_back([]) == 0
