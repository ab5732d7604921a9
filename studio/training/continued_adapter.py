"""What a run that trains an earlier adapter further keeps of it, whatever its own settings say."""

from __future__ import annotations

from typing import Any

from peft import LoraConfig, PeftConfig
from transformers import PreTrainedModel

from studio.config.adapter import AdapterConfig
from studio.core.errors import ModelError
from studio.models.adapter_config import lora_config
from studio.models.adapter_kinds import LORA

KEPT = {
    "r": "rank",
    "lora_alpha": "alpha",
    "lora_dropout": "dropout",
    "target_modules": "targets",
    "use_dora": "DoRA",
    "use_rslora": "rsLoRA",
    "bias": "biases",
    "modules_to_save": "modules trained whole",
}
"""Settings of an adapter that belong to its weights: PEFT's name, and what the form calls it."""

ALL = "rank, alpha, targets and variants"


def settings_not_used(
    adapter: AdapterConfig, skeleton: PreTrainedModel, continued: PeftConfig
) -> list[str]:
    """Return sentences for the plan on settings that the adapter continued from overrules.

    Nothing is said where both agree: the two steps of a recipe are written with the same settings.
    """
    wanted = _as_new(adapter, skeleton) if continued.peft_type == LORA else None
    if wanted is None:
        return [f"The adapter continued from keeps its own {ALL}; what is set here is not used."]
    differ = [
        f"{name} ({_said(has, name)})"
        for key, name in KEPT.items()
        if _plain(has := getattr(continued, key)) != _plain(getattr(wanted, key))
    ]
    if not differ:
        return []
    return [
        f"The adapter continued from keeps its own {', '.join(differ)}; what is set here is not "
        "used."
    ]


def _as_new(adapter: AdapterConfig, skeleton: PreTrainedModel) -> LoraConfig | None:
    """What `adapter` would be if it were begun; None where it does not fit the model.

    That is refused for a new adapter only: settings that are not used may say anything.
    """
    try:
        return lora_config(adapter, skeleton)
    except ModelError:
        return None


def _plain(value: Any) -> Any:
    return frozenset(value) if isinstance(value, (list, set, tuple)) else value or None


def _said(value: Any, name: str) -> str:
    if name == "targets":
        return "other modules"
    if isinstance(value, bool):
        return "on" if value else "off"
    return ", ".join(value) if isinstance(value, (list, set)) else str(value or "none")
