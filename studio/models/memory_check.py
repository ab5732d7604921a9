"""Whether a model fits beside what runs already, asked before its weights are read."""

from __future__ import annotations

import os
from dataclasses import dataclass

import psutil
import torch

from studio.config.model import ModelConfig
from studio.core.errors import BusyError
from studio.models.devices import pick_device, resolve_dtype
from studio.models.load import skeleton_of
from studio.models.prequantized import settled
from studio.runs.store import RunStore

BITS = {"int8": 8, "nf4": 4.5, "fp4": 4.5}
OVERHEAD = 1.2
GB = 1e9


@dataclass(frozen=True)
class MemoryUse:
    """Memory of this process, in bytes."""

    device: str
    resident: int
    on_gpu: int
    gpu_free: int

    @classmethod
    def now(cls) -> MemoryUse:
        device = pick_device()
        cuda = device.type == "cuda"
        return cls(
            device=device.type,
            resident=psutil.Process(os.getpid()).memory_info().rss,
            on_gpu=torch.cuda.memory_allocated() if cuda else 0,
            gpu_free=torch.cuda.mem_get_info()[0] if cuda else 0,
        )


def bytes_needed(model: ModelConfig, device: torch.device) -> float:
    """Estimate of a loaded model: its weights at their bit width, and a fifth for answering."""
    model = settled(model)
    skeleton = skeleton_of(model)
    full = resolve_dtype(model.dtype, device).itemsize * 8
    bits = BITS.get(model.quantization, full)
    quantized = {
        id(module.weight)
        for module in skeleton.modules()
        if isinstance(module, torch.nn.Linear) and module is not skeleton.get_output_embeddings()
    }
    return OVERHEAD * sum(
        parameter.numel() * (bits if id(parameter) in quantized else full) / 8
        for parameter in skeleton.parameters()
    )


def refuse_if_too_large(model: ModelConfig, runs: RunStore) -> None:
    """Check that `model` fits into the free memory of the device it would go to.

    Raises:
        BusyError: It does not; names the training run that holds the memory, if there is one.
    """
    device = pick_device()
    if device.type == "cuda":
        free, place = torch.cuda.mem_get_info()[0], "on the GPU"
    else:
        free, place = psutil.virtual_memory().available, "in main memory"
    need = bytes_needed(model, device)
    if need <= free:
        return
    training = next((run for run in runs.list() if run.alive), None)
    because = f" while run {training.config.name} is training" if training else ""
    remedy = (
        "Wait for the run to end or stop it, or choose"
        if training
        else "Close what else uses it, or choose"
    )
    raise BusyError(
        f"{model.id} needs about {need / GB:.1f} GB and {free / GB:.1f} GB are free {place}"
        f"{because}.",
        remedy=f"{remedy} a smaller model or model.quantization: nf4.",
        field="model.id",
    )
