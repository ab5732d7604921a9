"""Adapter folders of every kind on the embedded model, as PEFT saves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, get_peft_model
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from safetensors.torch import load_file, save_file

from studio.config.model import ModelConfig
from studio.models.adapter_config import WEIGHTS
from studio.models.load import load_model

LANGUAGE = r".*text_model.*\.(q_proj|v_proj)"
OF_KIND: dict[str, dict[str, Any]] = {
    "ADALORA": {"total_step": 100, "init_r": 4, "target_r": 2},
    "BOFT": {"boft_block_size": 4},
    "C3A": {"block_size": 64},
    "FOURIERFT": {"n_frequency": 20},
    "IA3": {"feedforward_modules": []},
    "LN_TUNING": {"target_modules": ["input_layernorm"]},
    "LORA": {"r": 4, "lora_alpha": 8},
    "OFT": {"oft_block_size": 4},
    "TRAINABLE_TOKENS": {"target_modules": ["embed_tokens"], "token_indices": [5, 6, 7]},
    "VBLORA": {"r": 2, "num_vectors": 8, "vector_length": 64},
}
"""What a kind needs to be told on a model of this size."""


def configured(kind: str, **settings: Any) -> PeftConfig:
    """A description of this kind, on the language model unless told otherwise."""
    values = {"target_modules": LANGUAGE, "task_type": "CAUSAL_LM"} | OF_KIND.get(kind, {})
    return PEFT_TYPE_TO_CONFIG_MAPPING[kind](**(values | settings))


def save_adapter_of(
    config: PeftConfig, folder: Path, *, base: str = "", model: ModelConfig | None = None
) -> Path:
    """Write an adapter whose weights are away from their start, so that it changes answers.

    Args:
        base: What it says it was trained on; empty: what it was.
        model: Instead of the embedded one.
    """
    torch.manual_seed(0)
    adapted = get_peft_model(load_model(model or ModelConfig()).model, config)
    with torch.no_grad():
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn_like(parameter))
    adapted.save_pretrained(folder)
    if base:
        describe(folder, base_model_name_or_path=base)
    return folder


def describe(folder: Path, **values: Any) -> None:
    """Change what an adapter says of itself."""
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def reweigh(folder: Path, change: Any) -> None:
    """Replace an adapter's weights by what `change` makes of them."""
    save_file(change(load_file(folder / WEIGHTS)), folder / WEIGHTS)
