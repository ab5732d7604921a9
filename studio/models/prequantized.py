"""Checkpoints that hold quantized weights already: what they hold, and how they are loaded.

What bitsandbytes wrote (4 and 8 bits) stays as it is and is trained as QLoRA is. Other formats
that transformers can turn back into full weights while it loads them (FP8, MXFP4) are, for
training and chat alike. The rest is loaded where its package is here and says it can be trained.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn
from transformers import BitsAndBytesConfig, PretrainedConfig, PreTrainedModel
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightConverter, WeightRenaming, rename_source_key
from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING, AutoHfQuantizer

from studio.config.model import ModelConfig, Quantization
from studio.core.errors import ModelError, first_line
from studio.models.model_source import load_config
from studio.models.weight_files import SafetensorsHeader, Tensor, WeightsElsewhereError, read_header

BITSANDBYTES = "bitsandbytes"
HEAD = "lm_head"
INT8: Quantization = "int8"
STATE = ".quant_state.bitsandbytes__"
BESIDE_4BIT = (".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map")
SCALES, LAYOUT = ".SCB", ".weight_format"
BITS = {"nf4": "4-bit weights (NF4)", "fp4": "4-bit weights (FP4)", INT8: "8-bit weights"}


@dataclass(frozen=True)
class Prequantized:
    """What a checkpoint's configuration says of its quantization.

    Attributes:
        method: As transformers calls it: bitsandbytes, fp8, gptq, …
        quantization: The setting that stands for it; none where the weights are loaded in full.
        values: The configuration itself.
    """

    method: str
    quantization: Quantization = "none"
    double: bool = False
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def ours(self) -> bool:
        """Whether bitsandbytes wrote it."""
        return self.method == BITSANDBYTES

    @property
    def unpacked(self) -> bool:
        """Whether it is loaded as full weights."""
        return "dequantize" in self.values

    @property
    def sentence(self) -> str:
        """What is done with such weights, for a plan."""
        if self.ours:
            return f"The model holds {BITS[self.quantization]} already; they are used as they are."
        if self.unpacked:
            return f"The model holds {self.method} weights; they are loaded in full precision."
        return f"The model holds {self.method} weights; how much memory they take is not known."


def prequantized(config: PretrainedConfig) -> Prequantized | None:
    """Return the quantization that a checkpoint came with; None for full weights."""
    values = getattr(config, "quantization_config", None) or getattr(
        config.get_text_config(), "quantization_config", None
    )
    if not values:
        return None
    values = dict(values) if isinstance(values, dict) else values.to_dict()
    if not AutoHfQuantizer.supports_quant_method({"quant_method": "unnamed"} | values):
        return None  # transformers leaves it out, and loads the weights as they are
    four, eight = values.get("load_in_4bit"), values.get("load_in_8bit")
    if four or eight:
        kind: Quantization = INT8
        if four:
            kind = "nf4" if values.get("bnb_4bit_quant_type") == "nf4" else "fp4"
        return Prequantized(
            BITSANDBYTES, kind, bool(values.get("bnb_4bit_use_double_quant")), values
        )
    method = getattr(values["quant_method"], "value", values["quant_method"])
    settings = AUTO_QUANTIZATION_CONFIG_MAPPING[str(method)]
    if "dequantize" in signature(settings.__init__).parameters:
        values["dequantize"] = True
    return Prequantized(str(method), values=values)


def can_be_quantized(model: ModelConfig) -> bool:
    """Return whether the quantization of `model` is open: it was not chosen, and its files hold
    none.
    """
    return model.quantization == "none" and prequantized(load_config(model)) is None


def settled(model: ModelConfig, whole: Collection[str] = ()) -> ModelConfig:
    """Return `model` with the quantization that its checkpoint came with, where it came with one.

    Args:
        whole: Names of modules that a run wants in full precision, to be trained whole; those
            that are not quantized are added to `skip_modules`.

    Raises:
        ModelError: The settings ask for another quantization, or it needs what is not here.
    """
    config = load_config(model)
    found = prequantized(config)
    if found is None:
        return model
    if model.quantization not in ("none", found.quantization):
        raise ModelError(
            f"{model.id} holds {BITS.get(found.quantization, found.method + ' weights')} already, "
            f"which cannot be made {model.quantization}.",
            remedy="Set model.quantization: none, which leaves them as they are, or choose the "
            "model's version in full precision.",
            field="model.quantization",
        )
    if not found.ours:
        _refuse_lacking(model, found)
        return model
    layers = quantized_layers(model)
    kept = [name for name in whole if layers is not None and not _among(name, layers)]
    packed = [name for name in model.skip_modules if layers is not None and _among(name, layers)]
    if packed:
        raise ModelError(
            f"{model.id} holds {packed[0]} in {BITS[found.quantization]} already, so it cannot be "
            "kept in full precision.",
            remedy="Leave it out of model.skip_modules, or choose the model's version in full "
            "precision.",
            field="model.skip_modules",
        )
    return model.model_copy(
        update={
            "quantization": found.quantization,
            "double_quantization": found.double,
            "skip_modules": sorted({*model.skip_modules, *kept}),
        }
    )


def _among(name: str, layers: Collection[str]) -> bool:
    """Whether the module called `name` is one of `layers` or holds one."""
    return any(f".{name}." in f".{layer}." for layer in layers)


def _refuse_lacking(model: ModelConfig, found: Prequantized) -> None:
    """Refuse a quantization that needs a package or a device that is not here."""
    try:
        AutoHfQuantizer.from_config(dict(found.values), pre_quantized=True).validate_environment(
            device_map={"": "cuda" if torch.cuda.is_available() else "cpu"}
        )
    except ImportError as error:
        raise ModelError(
            f"{model.id} holds {found.method} weights, which need a package that is not here: "
            f"{first_line(error)}",
            remedy="Install it, or choose the model's version in full precision.",
            field="model.id",
        ) from error
    except (RuntimeError, ValueError) as error:
        raise ModelError(
            f"{model.id} holds {found.method} weights, which cannot be used on this machine: "
            f"{first_line(error)}",
            remedy="Choose the model's version in full precision.",
            field="model.id",
        ) from error


def refuse_untrainable(model: ModelConfig) -> None:
    """Refuse to train on weights whose format passes no gradient on.

    Raises:
        ModelError: Names the format.
    """
    found = prequantized(load_config(model))
    if found is not None and found.ours:
        _refuse_packed_head(model)
    if found is None or found.ours or found.unpacked:
        return
    if not AutoHfQuantizer.from_config(dict(found.values), pre_quantized=True).is_trainable:
        raise ModelError(
            f"{model.id} holds {found.method} weights, beside which nothing can be trained.",
            remedy="Choose the model's version in full precision, or one in 4 bits of bitsandbytes.",
            field="model.id",
        )


def _refuse_packed_head(model: ModelConfig) -> None:
    head = [name for name in quantized_layers(model) or () if name.endswith(HEAD)]
    if head:
        raise ModelError(
            f"{model.id} holds its output head ({head[0]}) quantized; training computes the loss "
            "from the head directly and needs it in full precision.",
            remedy="Choose a version of the model whose head is not quantized.",
            field="model.id",
        )


def loading_config(
    model: ModelConfig, skeleton: PreTrainedModel, dtype: torch.dtype
) -> PretrainedConfig | None:
    """Return the configuration to load a prequantized checkpoint with; None for any other.

    Of bitsandbytes, 4-bit weights are multiplied in `dtype` whatever they were saved for, and
    exactly those layers count as quantized that are so in the files: configurations of earlier
    versions name modules by names that they no longer have.
    """
    config = load_config(model)
    found = prequantized(config)
    if found is None:
        return None
    config.quantization_config = found.values
    if found.ours:
        config.quantization_config = checkpoint_quantization(model, skeleton, dtype).to_dict()
    return config


def checkpoint_quantization(
    model: ModelConfig, skeleton: PreTrainedModel, dtype: torch.dtype
) -> BitsAndBytesConfig:
    """Return the configuration of what bitsandbytes wrote; `skeleton` is the model without weights."""
    held = prequantized(load_config(model))
    values = dict(held.values) if held else {}
    layers = quantized_layers(model, skeleton)
    if layers is not None:
        values["llm_int8_skip_modules"] = sorted(
            name
            for name, module in skeleton.named_modules()
            if isinstance(module, nn.Linear) and name not in layers
        )
    values["bnb_4bit_compute_dtype"] = str(dtype).removeprefix("torch.")
    return BitsAndBytesConfig.from_dict(values)


def quantized_layers(
    model: ModelConfig, skeleton: PreTrainedModel | None = None
) -> set[str] | None:
    """Return the names of the layers whose weights are quantized in the files; None where they are not
    here.

    Args:
        skeleton: The model without weights; names are as in the files without it.
    """
    try:
        header = read_header(model, getattr(load_config(model), "transformers_weights", None))
    except WeightsElsewhereError:
        return None
    keys = {key.split(STATE)[0].removesuffix(".weight") for key in header.tensors if STATE in key}
    keys |= {key.removesuffix(SCALES) for key in header.tensors if key.endswith(SCALES)}
    if skeleton is None:
        return keys
    named = names_in(skeleton, [f"{key}.weight" for key in keys])
    return {name.removesuffix(".weight") for name in named}


def names_in(skeleton: PreTrainedModel, keys: Collection[str]) -> list[str]:
    """Return what transformers calls weights that a file calls `keys`."""
    mapping = get_model_conversion_mapping(skeleton)
    renamings = [entry for entry in mapping if isinstance(entry, WeightRenaming)]
    converters = [entry for entry in mapping if isinstance(entry, WeightConverter)]
    known = skeleton.state_dict()
    prefix = skeleton.base_model_prefix
    return [
        key if key in known else rename_source_key(key, renamings, converters, prefix, known)[0]
        for key in keys
    ]


def unpacked_header(header: SafetensorsHeader) -> SafetensorsHeader:
    """Return `header` as if its 4- and 8-bit layers were full ones, so that shapes can be compared."""
    tensors: dict[str, Tensor] = {}
    shapes = _shapes_of_states(header)
    for key, tensor in header.tensors.items():
        if STATE in key or key.endswith((*BESIDE_4BIT, SCALES, LAYOUT)):
            continue
        if key in shapes:
            tensor = Tensor("F32", shapes[key])
        elif f"{key.removesuffix('.weight')}{SCALES}" in header.tensors:
            tensor = Tensor("F32", tensor.shape)
        tensors[key] = tensor
    return SafetensorsHeader(tensors, header.files)


def _shapes_of_states(header: SafetensorsHeader) -> dict[str, tuple[int, ...]]:
    """Shape of every 4-bit weight, from the JSON that bitsandbytes stores beside it."""
    states = [key for key in header.tensors if STATE in key]
    found: dict[str, tuple[int, ...]] = {}
    for file in header.files:
        found |= _states_in(file, states)
    return found


def _states_in(file: Path, states: Collection[str]) -> dict[str, tuple[int, ...]]:
    found = {}
    with safe_open(file, framework="numpy") as handle:
        for key in set(states) & set(handle.keys()):
            state = json.loads(handle.get_tensor(key).tobytes())
            found[key.split(STATE)[0]] = tuple(state["shape"])
    return found
