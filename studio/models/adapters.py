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
from studio.models.towers import find_towers

WEIGHTS = "adapter_model.safetensors"
INIT = {"default": True, "eva": True}
"""As PEFT calls them; `studio.train.eva` sets what EVA begins with later."""


def lora_config(adapter: AdapterConfig, skeleton: PreTrainedModel) -> LoraConfig:
    """PEFT's configuration for `adapter` on a model with the modules of `skeleton`."""
    return LoraConfig(
        r=adapter.rank,
        lora_alpha=adapter.alpha,
        lora_dropout=adapter.dropout,
        target_modules=target_modules(skeleton, adapter),
        use_dora=adapter.dora,
        use_rslora=adapter.rslora,
        bias=adapter.bias,
        modules_to_save=saved_modules(skeleton, adapter) or None,
        init_lora_weights=INIT.get(adapter.init, adapter.init),
        task_type="CAUSAL_LM",
    )


def saved_modules(model: PreTrainedModel, adapter: AdapterConfig) -> list[str]:
    """`adapter.modules_to_save`, each checked against the modules of `model`.

    Raises:
        ModelError: A name fits no module, or the output head.
    """
    towers = find_towers(model)
    for wanted in adapter.modules_to_save:
        found = [n for n, _ in model.named_modules() if n == wanted or n.endswith(f".{wanted}")]
        if not found:
            raise ModelError(
                f"{wanted!r} is no module of this model.",
                remedy="Its parts are " + ", ".join(_parts(model)) + ".",
                field="adapter.modules_to_save",
            )
        if any(towers.of(name) == "head" for name in found):
            raise ModelError(
                f"{wanted!r} is the output head, which cannot be trained beside an adapter: the "
                "loss is computed from the head directly.",
                remedy="Leave it out, or train every weight (adapter: null).",
                field="adapter.modules_to_save",
            )
    return list(adapter.modules_to_save)


def _parts(model: PreTrainedModel) -> list[str]:
    return [name for name, _ in model.base_model.named_children()]


@dataclass(frozen=True)
class AdapterInfo:
    """What a folder of trained weights holds."""

    folder: Path
    base: str
    rank: int
    kind: Literal["adapter", "model"] = "adapter"


def inspect_adapter(folder: Path, field: str = "adapter.continue_from") -> AdapterInfo:
    """Read an adapter folder's description and check its weights file.

    Args:
        field: The setting that names the folder, for the error.

    Raises:
        ModelError: It is no adapter, holds pickled weights, or its file is damaged.
    """
    try:
        values = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        base, rank = str(values.get("base_model_name_or_path") or ""), int(values.get("r") or 0)
    except FileNotFoundError:
        raise _broken(folder, "it has no adapter_config.json", field) from None
    except (ValueError, TypeError, AttributeError):  # no JSON, no object, or no number
        raise _broken(folder, "its adapter_config.json is not readable", field) from None
    if "auto_map" in values:
        raise _broken(folder, "it asks for foreign code to be run, which is never done", field)
    weights = folder / WEIGHTS
    if not weights.is_file():
        pickled = any(folder.glob("adapter_model.bin"))
        reason = (
            "its weights are pickled, which can run code" if pickled else f"{WEIGHTS} is missing"
        )
        raise _broken(folder, reason, field)
    try:
        with safe_open(weights, framework="numpy") as handle:
            names = handle.keys()
    except (SafetensorError, OSError) as error:
        raise _broken(folder, f"{WEIGHTS} is damaged ({error})", field) from error
    if not names:
        raise _broken(folder, f"{WEIGHTS} is empty", field)
    return AdapterInfo(folder, base, rank)


def _broken(folder: Path, reason: str, field: str) -> ModelError:
    return ModelError(
        f"The adapter in {folder.name} cannot be used: {reason}.",
        remedy="Choose another adapter, or train it again; only safetensors are read.",
        field=field,
    )
