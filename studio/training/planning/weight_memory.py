"""Bytes of a model's weights by precision.

Quantized linear layers, from bitsandbytes (Dettmers et al. 2022, 2023): int8 keeps one byte per
weight and a 4-byte scale per output; NF4 and FP4 keep half a byte and a 4-byte scale per block of
64, or, with double quantization, one byte per block and 4 bytes per 256 blocks.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.quantizers.quantizers_utils import should_convert_module

from studio.config.model import ModelConfig
from studio.models.quantize import quantization_config

BLOCK, SCALES_BLOCK, CODEBOOKS = 64, 256, 4 * (16 + 256)


def weight_bytes(model: ModelConfig, skeleton: PreTrainedModel, dtype: torch.dtype) -> int:
    """Return all weights and buffers of a base model held as `model` says; tied ones count once.

    Args:
        skeleton: Without adapters, on the meta device.
        dtype: Of whatever is not quantized.
    """
    quantized = quantized_modules(model, skeleton, dtype)
    total = sum(tensor.numel() * dtype.itemsize for tensor in skeleton.parameters())
    for module in quantized.values():
        count = module.weight.numel()
        total -= count * dtype.itemsize
        scales = 4 * module.out_features  # of int8: one for each row
        total += count + scales if model.quantization == "int8" else _4bit(count, model)
    return total + sum(b.numel() * b.element_size() for b in skeleton.buffers())


def quantized_modules(
    model: ModelConfig, skeleton: PreTrainedModel, dtype: torch.dtype
) -> dict[str, nn.Linear]:
    """Return the linear layers that bitsandbytes replaces, by name."""
    settings = quantization_config(model, skeleton, dtype)
    if settings is None:
        return {}
    return {
        name: module
        for name, module in skeleton.named_modules()
        if type(module) is nn.Linear and should_convert_module(name, settings.llm_int8_skip_modules)
    }


def largest_dequantized(modules: dict[str, nn.Linear], dtype: torch.dtype) -> int:
    """Return the bytes of the largest quantized layer when it is unpacked to be multiplied."""
    return max((module.weight.numel() for module in modules.values()), default=0) * dtype.itemsize


def _4bit(count: int, model: ModelConfig) -> int:
    blocks = math.ceil(count / BLOCK)
    if not model.double_quantization:
        return math.ceil(count / 2) + 4 * blocks
    return math.ceil(count / 2) + blocks + 4 * math.ceil(blocks / SCALES_BLOCK) + CODEBOOKS
