"""Weights in 8 or 4 bits through bitsandbytes (QLoRA, Dettmers et al. 2023)."""

from __future__ import annotations

import torch
from torch import nn
from transformers import BitsAndBytesConfig, PreTrainedModel

from studio.config.model import ModelConfig
from studio.core.errors import ModelError
from studio.models.prequantized import checkpoint_quantization, prequantized


def quantization_config(
    model: ModelConfig, skeleton: PreTrainedModel, compute_dtype: torch.dtype
) -> BitsAndBytesConfig | None:
    """Return the bitsandbytes configuration, or None for full precision.

    Args:
        skeleton: The model on the meta device, to find what must stay in full precision.
        compute_dtype: In which 4-bit weights are multiplied.

    Raises:
        ModelError: A module to be skipped is not there.
    """
    if model.quantization == "none":
        return None
    if prequantized(skeleton.config) is not None:
        return checkpoint_quantization(model, skeleton, compute_dtype)
    skipped = sorted({*_named(skeleton, model.skip_modules), *always_skipped(skeleton)})
    if model.quantization == "int8":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=skipped)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=model.quantization,
        bnb_4bit_use_double_quant=model.double_quantization,
        bnb_4bit_compute_dtype=compute_dtype,
        llm_int8_skip_modules=skipped,
    )


def _named(skeleton: PreTrainedModel, wanted: list[str]) -> set[str]:
    """Full names of the modules called `wanted`.

    Transformers reads a name only as the start or the end of a full one: `vision_tower` alone
    would leave nothing of `model.vision_tower.…` out.
    """
    found: set[str] = set()
    for name in wanted:
        full = {n for n, _ in skeleton.named_modules() if n == name or n.endswith(f".{name}")}
        if not full:
            raise ModelError(
                f"{name!r} is no module of this model, so it cannot be kept in full precision.",
                remedy="Its parts are "
                + ", ".join(n for n, _ in skeleton.base_model.named_children())
                + ".",
                field="model.skip_modules",
            )
        found |= full
    return found


def always_skipped(skeleton: PreTrainedModel) -> set[str]:
    """Return the output head, and projections that `nn.MultiheadAttention` multiplies by itself."""
    head = skeleton.get_output_embeddings()
    names = {name for name, module in skeleton.named_modules() if module is head} | {"lm_head"}
    return names | {
        name
        for name, module in skeleton.named_modules()
        if isinstance(module, nn.MultiheadAttention)
    }


def keep_differentiable(model: PreTrainedModel) -> None:
    """Keep 4-bit weights in the layout that has a backward pass.

    On CPUs with AVX512-BF16, bitsandbytes repacks a layer's weights at its first forward pass
    in evaluation mode, and the packed kernel passes no gradient: after one evaluation, training
    would go on with wrong gradients and say nothing.
    """
    from bitsandbytes.nn import Linear4bit

    for module in model.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False
