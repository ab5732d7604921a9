"""Loading a base model: full or quantized, on the device there is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForImageTextToText, PreTrainedModel, ProcessorMixin

from studio.config.model import ModelConfig
from studio.core.errors import ConfigError, ModelError, first_line
from studio.models.compat.cross_attention import correct_cross_attention
from studio.models.compat.logit_scale import scale_logits
from studio.models.compat.patch_embeddings import multiply_patches
from studio.models.devices import device_problems, pick_device, resolve_dtype
from studio.models.empty_weights import BUILDING
from studio.models.model_location import model_path
from studio.models.model_source import lacks_package, load_config, load_processor
from studio.models.oom import ran_out
from studio.models.prequantized import loading_config, prequantized, settled
from studio.models.quantize import keep_differentiable, quantization_config
from studio.models.weights_check import (
    Differences,
    check_files,
    refuse_differences,
    refuse_no_numbers,
    unloadable,
)


@dataclass(frozen=True)
class Loaded:
    """A model that is ready for use, with its processor."""

    model: PreTrainedModel
    processor: ProcessorMixin
    device: torch.device
    dtype: torch.dtype


PLAIN = ("eager", "sdpa")
"""Attention that needs no package of its own, so that a plan for another device knows it too."""
SHARDING = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")


def skeleton_of(model: ModelConfig) -> PreTrainedModel:
    """Return the model's modules on the meta device: shapes and names, no weights.

    Raises:
        ModelError: The model cannot be read, needs a package that is not here, or lacks the
            attention that was chosen.
    """
    config = load_config(model)
    chosen = {"attn_implementation": model.attention} if model.attention in PLAIN else {}
    try:
        with BUILDING, torch.device("meta"):
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
    model = settled(model)
    dtype = resolve_dtype(model.dtype, device)
    settings = _settings(model, dtype)
    processor = load_processor(model)
    loaded = _weights(model, dtype, device, settings)
    correct_cross_attention(loaded)
    multiply_patches(loaded)
    scale_logits(loaded)
    if device.type == "cuda":
        torch.cuda.empty_cache()  # what quantizing took beside the weights
    if model.quantization != "none":
        keep_differentiable(loaded)
    if not weights_are_sharded():
        refuse_no_numbers(model, loaded)
    return Loaded(loaded, processor, device, dtype)


def _settings(model: ModelConfig, dtype: torch.dtype) -> dict[str, Any]:
    """What says how weights are quantized: the checkpoint's own configuration, or ours."""
    check_files(model)
    own = prequantized(load_config(model))
    if own is not None:
        return {"config": loading_config(model, skeleton_of(model), dtype)}
    if model.quantization == "none":
        return {}
    return {"quantization_config": quantization_config(model, skeleton_of(model), dtype)}


def _weights(
    model: ModelConfig, dtype: torch.dtype, device: torch.device, settings: dict[str, Any]
) -> PreTrainedModel:
    """The model with its weights, each of which must be in its files.

    Raises:
        ModelError: They cannot be read, or do not fit.
    """
    there = bool(settings) or (device.type != "cpu" and not weights_are_sharded())
    try:
        loaded, info = AutoModelForImageTextToText.from_pretrained(
            model_path(model.id),
            revision=model.revision,
            dtype=dtype,
            device_map={"": device} if there else None,  # else the trainer brings them there
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are refused below, with their names
            **settings,
            **({} if model.attention == "auto" else {"attn_implementation": model.attention}),
        )
    except ImportError as error:
        raise lacks_package(model, error) from error
    except (OSError, ValueError, SafetensorError, RuntimeError, KeyError) as error:
        if ran_out(error):
            raise
        check_files(model)  # those of a model that has been fetched meanwhile
        raise unloadable(model, error) from error
    refuse_differences(model, Differences.of(info))
    return loaded


def weights_are_sharded() -> bool:
    """Return whether accelerate was told to give each process a part of the weights."""
    return any(os.environ.get(name, "").lower() == "true" for name in SHARDING)
