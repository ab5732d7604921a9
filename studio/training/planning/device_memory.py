"""What a device has, and what a process takes on it before any weight is loaded."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import psutil
import torch

from studio.config.job_flavors import gpu_memory
from studio.core.errors import ConfigError, FieldProblem
from studio.runs.run_plan import GIB
from studio.training.planning.allocator_heap import MOST_FREE

AMOUNT = re.compile(r"(?P<number>\d+(\.\d+)?)\s*(?P<unit>[MGT]i?B?)?", re.IGNORECASE)
UNITS = {"m": 2**20, "g": GIB, "t": 2**40}
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
# A training process on a CPU with everything imported and the run planned, but without weights and
# activations: peak of the embedded model's dry step less what it holds.
CPU_PROCESS = 980 * 2**20
# Where what is free in the heap is given back before each pass (`heap.trim_before_passes`), less of
# what loading left is held: measured with the shapes of SmolVLM-256M.
CPU_PROCESS_TRIMMED = 800 * 2**20
# CUDA context of a process that has multiplied and attended, measured on an H200 with driver 580.
CUDA_CONTEXT = 603 * 2**20
# What cuBLAS takes of the allocator (PyTorch, "CUDA semantics": 32 MiB on Hopper, 8 MiB before).
CUBLAS_WORKSPACE = 32 * 2**20
CUDA_PROCESS = CUDA_CONTEXT + CUBLAS_WORKSPACE
# Share of the rest that allocators hold but do not use: rounding and fragmentation. On a CPU `heap`
# has freed blocks returned, but those below its threshold stay until the next pass; where every pass
# goes through the vision tower, its buffers lie between what is kept. Measured with SmolVLM-256M.
SLACK = {"cpu": 0.18, "cuda": 0.06, "mps": 0.06}
SLACK_APART = SLACK | {"cpu": 0.04}  # images encoded before training


@dataclass(frozen=True)
class Target:
    """The device a plan is made for.

    Attributes:
        kind: As torch names it.
        memory: In bytes; 0 where it is not known.
        sharers: Processes that share it; `memory` is what each of them has.
    """

    kind: Literal["cuda", "cpu", "mps"]
    memory: int
    sharers: int = 1

    @classmethod
    def here(cls, device: torch.device) -> Target:
        """Return the device of this machine."""
        if device.type == "cuda":
            return cls("cuda", torch.cuda.get_device_properties(device).total_memory)
        return cls(device.type, main_memory())

    def shared(self, processes: int) -> Target:
        """Return what each of several processes has: a GPU of its own, or a share of main memory."""
        if self.kind == "cuda":
            return self
        return replace(self, memory=self.memory // processes, sharers=processes)

    @classmethod
    def of_flavor(cls, flavor: str) -> Target:
        """Return one GPU of a flavor of Hugging Face Jobs, or its CPU."""
        gigabytes = gpu_memory(flavor)
        if gigabytes is not None:
            return cls.gpu(gigabytes)
        return cls("cpu" if flavor.startswith("cpu") else "cuda", 0)

    @classmethod
    def gpu(cls, gigabytes: float) -> Target:
        """Return a CUDA GPU sold with so many gigabytes."""
        return cls("cuda", int(gigabytes * GIB))

    @classmethod
    def parsed(cls, text: str) -> Target:
        """Return a CUDA GPU from `8`, `8GB`, `7.5GiB` or `512MB`; as GPUs are sold, GB means 2³⁰
        bytes.

        Raises:
            ConfigError: It is no amount of memory.
        """
        found = AMOUNT.fullmatch(text.strip())
        size = float(found["number"]) if found else 0.0
        if not found or size <= 0:
            raise ConfigError(
                [FieldProblem("--device-memory", f"{text!r} is no size.", "Write it as 8GB.")]
            )
        unit = (found["unit"] or "g").lower()[0]
        return cls("cuda", int(size * UNITS[unit]))

    @property
    def place(self) -> str:
        """The device in a sentence."""
        name = {"cuda": "the GPU", "mps": "the Apple GPU"}.get(self.kind, "this machine")
        return name if self.sharers == 1 else f"a process's share of {name}"

    @property
    def torch_device(self) -> torch.device:
        """The device as torch names it."""
        return torch.device(self.kind)

    def process(self, weights: int) -> int:
        """Return the bytes taken beside a model of `weights` bytes, its activations and gradients."""
        if self.kind == "cuda":
            return CUDA_PROCESS
        return CPU_PROCESS_TRIMMED if weights >= MOST_FREE and self.kind == "cpu" else CPU_PROCESS


def main_memory() -> int:
    """Return the bytes of main memory this process may use, container limits included."""
    total = psutil.virtual_memory().total
    try:
        limit = CGROUP_LIMIT.read_text().strip()
    except OSError:
        return total
    return min(total, int(limit)) if limit.isdigit() else total
