"""Which device and number format a run gets, and what cannot be done on it."""

from __future__ import annotations

import os

import torch

from studio.config.availability import model_problems
from studio.config.model import ModelConfig
from studio.core.errors import FieldProblem


def pick_device() -> torch.device:
    """Choose CUDA, else MPS, else the CPU; of several processes on a machine each has its own GPU."""
    if torch.cuda.is_available():
        number = os.environ.get("LOCAL_RANK")
        if number is None:
            return torch.device("cuda")
        return torch.device("cuda", int(number) % torch.cuda.device_count())
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def resolve_dtype(name: str, device: torch.device) -> torch.dtype:
    """Return the dtype for `name`; `auto` is bfloat16 where the GPU has it, else what is safe."""
    if name != "auto":
        return getattr(torch, name)
    if device.type == "cuda":
        older = torch.cuda.is_available() and not torch.cuda.is_bf16_supported()
        return torch.float16 if older else torch.bfloat16
    return torch.float32


def device_problems(model: ModelConfig, device: torch.device) -> list[FieldProblem]:
    """Return what of `model` this machine cannot do."""
    return model_problems(model, device.type)
