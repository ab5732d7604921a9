"""Which device and number format a run gets, and what cannot be done on it."""

from __future__ import annotations

import importlib.util
import platform

import torch

from studio.config.model import ModelConfig
from studio.errors import FieldProblem


def pick_device() -> torch.device:
    """CUDA, else MPS, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def resolve_dtype(name: str, device: torch.device) -> torch.dtype:
    """The dtype for `name`; `auto` is bfloat16 where the GPU has it, else what is safe."""
    if name != "auto":
        return getattr(torch, name)
    if device.type == "cuda":
        older = torch.cuda.is_available() and not torch.cuda.is_bf16_supported()
        return torch.float16 if older else torch.bfloat16
    return torch.float32


def device_problems(model: ModelConfig, device: torch.device) -> list[FieldProblem]:
    """What of `model` this machine cannot do."""
    found = []
    if model.quantization != "none":
        found += _quantization_problems(model.quantization, device)
    if device.type == "cpu" and model.dtype == "float16":
        found.append(
            FieldProblem(
                "model.dtype", "float16 overflows in training on a CPU.", "Use float32 or bfloat16."
            )
        )
    if model.attention == "flash_attention_2":
        if device.type != "cuda":
            found.append(
                FieldProblem("model.attention", "Flash attention needs a CUDA GPU.", "Use auto.")
            )
        elif importlib.util.find_spec("flash_attn") is None:
            found.append(
                FieldProblem(
                    "model.attention",
                    "The package flash-attn is not installed.",
                    "Install it, or use auto.",
                )
            )
    return found


def _quantization_problems(quantization: str, device: torch.device) -> list[FieldProblem]:
    field = "model.quantization"
    if importlib.util.find_spec("bitsandbytes") is None:
        return [
            FieldProblem(
                field,
                f"{quantization} needs the package bitsandbytes, which is not installed.",
                "Run `pip install bitsandbytes`, or use none.",
            )
        ]
    if device.type == "mps":
        return [
            FieldProblem(
                field, f"{quantization} is not available on Apple GPUs.", "Use none with bfloat16."
            )
        ]
    if device.type == "cpu" and platform.machine().lower() not in ("x86_64", "amd64"):
        return [
            FieldProblem(
                field,
                f"{quantization} on a CPU needs x86-64; this one is {platform.machine()}.",
                "Use none.",
            )
        ]
    return []
