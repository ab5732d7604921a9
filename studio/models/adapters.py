"""Adapters: making their PEFT configuration, and checking a folder before it is loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from peft import LoraConfig
from safetensors import SafetensorError, safe_open
from transformers import PreTrainedModel

from studio.config.adapter import AdapterConfig
from studio.errors import ModelError
from studio.models.targets import target_modules

WEIGHTS = "adapter_model.safetensors"
INIT = {"default": True}


def lora_config(adapter: AdapterConfig, skeleton: PreTrainedModel) -> LoraConfig:
    """PEFT's configuration for `adapter` on a model with the modules of `skeleton`."""
    return LoraConfig(
        r=adapter.rank,
        lora_alpha=adapter.alpha,
        lora_dropout=adapter.dropout,
        target_modules=target_modules(skeleton, adapter),
        use_dora=adapter.dora,
        use_rslora=adapter.rslora,
        init_lora_weights=INIT.get(adapter.init, adapter.init),
        task_type="CAUSAL_LM",
    )


@dataclass(frozen=True)
class AdapterInfo:
    """What a folder of trained weights holds."""

    folder: Path
    base: str
    rank: int
    kind: Literal["adapter", "model"] = "adapter"


def inspect_adapter(folder: Path) -> AdapterInfo:
    """Read an adapter folder's description and check its weights file.

    Raises:
        ModelError: It is no adapter, holds pickled weights, or its file is damaged.
    """
    try:
        values = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _broken(folder, "it has no adapter_config.json") from None
    except (ValueError, UnicodeDecodeError):
        raise _broken(folder, "its adapter_config.json is not readable") from None
    if "auto_map" in values:
        raise _broken(folder, "it asks for foreign code to be run, which is never done")
    weights = folder / WEIGHTS
    if not weights.is_file():
        pickled = any(folder.glob("adapter_model.bin"))
        reason = (
            "its weights are pickled, which can run code" if pickled else f"{WEIGHTS} is missing"
        )
        raise _broken(folder, reason)
    try:
        with safe_open(weights, framework="numpy") as handle:
            names = handle.keys()
    except (SafetensorError, OSError) as error:
        raise _broken(folder, f"{WEIGHTS} is damaged ({error})") from error
    if not names:
        raise _broken(folder, f"{WEIGHTS} is empty")
    return AdapterInfo(
        folder, str(values.get("base_model_name_or_path", "")), int(values.get("r", 0))
    )


def _broken(folder: Path, reason: str) -> ModelError:
    return ModelError(
        f"The adapter in {folder.name} cannot be used: {reason}.",
        remedy="Choose another adapter, or train it again; only safetensors are read.",
        field="adapter.continue_from",
    )
