"""Loading a base model: full or quantized, on the device there is."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from transformers import AutoModelForImageTextToText, PreTrainedModel, ProcessorMixin

from studio.config.model import ModelConfig
from studio.errors import ConfigError, ModelError, first_line
from studio.models.crossattention import correct_cross_attention
from studio.models.devices import device_problems, pick_device, resolve_dtype
from studio.models.logit_scale import scale_logits
from studio.models.patches import multiply_patches
from studio.models.quantize import keep_differentiable, quantization_config
from studio.models.source import lacks_package, load_config, load_processor, model_path


@dataclass(frozen=True)
class Loaded:
    """A model that is ready for use, with its processor."""

    model: PreTrainedModel
    processor: ProcessorMixin
    device: torch.device
    dtype: torch.dtype


PLAIN = ("eager", "sdpa")
"""Attention that needs no package of its own, so that a plan for another device knows it too."""
SPREADING = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")


def skeleton_of(model: ModelConfig) -> PreTrainedModel:
    """The model's modules on the meta device: shapes and names, no weights.

    Raises:
        ModelError: The model cannot be read, needs a package that is not here, or lacks the
            attention that was chosen.
    """
    config = load_config(model)
    chosen = {"attn_implementation": model.attention} if model.attention in PLAIN else {}
    try:
        with torch.device("meta"):
            made = AutoModelForImageTextToText.from_config(config, **chosen)
    except ImportError as error:
        raise lacks_package(model, error) from error
    except ValueError as error:
        if not chosen:
            raise
        raise ModelError(
            f"{model.id} has no {model.attention} attention: {first_line(error)}",
            remedy="Use auto.",
            field="model.attention",
        ) from error
    correct_cross_attention(made)
    multiply_patches(made)
    return made


def load_model(model: ModelConfig, *, device: torch.device | None = None) -> Loaded:
    """Load the base model and its processor.

    Raises:
        ConfigError: This machine cannot do what the settings ask for.
        ModelError: The model cannot be found, read or held.
    """
    device = device or pick_device()
    found = device_problems(model, device)
    if found:
        raise ConfigError(found)
    dtype = resolve_dtype(model.dtype, device)
    quantized = None
    if model.quantization != "none":
        quantized = quantization_config(model, skeleton_of(model), dtype)
    processor = load_processor(model)
    try:
        loaded = AutoModelForImageTextToText.from_pretrained(
            model_path(model.id),
            revision=model.revision,
            dtype=dtype,
            quantization_config=quantized,
            device_map={"": device} if _goes_there(device, quantized is not None) else None,
            use_safetensors=True,
            trust_remote_code=False,
            **({} if model.attention == "auto" else {"attn_implementation": model.attention}),
        )
    except (OSError, ValueError) as error:
        raise ModelError(
            f"The weights of {model.id} cannot be loaded: {first_line(error)}",
            remedy="Only weights in safetensors format are read. Check the id, folder and disk.",
            field="model.id",
        ) from error
    correct_cross_attention(loaded)
    multiply_patches(loaded)
    scale_logits(loaded)
    if device.type == "cuda":
        torch.cuda.empty_cache()  # what quantizing took beside the weights
    if quantized is not None:
        keep_differentiable(loaded)
    return Loaded(loaded, processor, device, dtype)


def _goes_there(device: torch.device, quantized: bool) -> bool:
    """Whether the weights are loaded onto the device; else the trainer brings them there."""
    if quantized:
        return True
    spread = any(os.environ.get(name, "").lower() == "true" for name in SPREADING)
    return device.type != "cpu" and not spread
