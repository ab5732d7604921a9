"""Kinds of PEFT adapters and settings of theirs: which are used here, and why others are not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from peft import PeftConfig

Purpose = Literal["chat", "sft", "dpo"]

LORA = "LORA"
KINDS = (
    LORA,
    "ADALORA",
    "BEFT",
    "BOFT",
    "C3A",
    "DEFT",
    "DELORA",
    "FOURIERFT",
    "GLORA",
    "GRALORA",
    "HIRA",
    "HRA",
    "IA3",
    "LILY",
    "LN_TUNING",
    "LOHA",
    "LOKR",
    "MISS",
    "OFT",
    "OSF",
    "PEANUT",
    "PSOFT",
    "PVERA",
    "RANDLORA",
    "ROAD",
    "SUPERTUNING",
    "TINYLORA",
    "TRAINABLE_TOKENS",
    "UNILORA",
    "VBLORA",
    "VERA",
    "WAVEFT",
)
"""All but ADALORA and PVERA are continued with either method; each was tried on the embedded
model (tests/models/test_loaded_adapters.py, tests/training/test_continued_adapter.py)."""

PROMPTS = "it puts learned tokens before the prompt, where a model counts the places of its images"
REFUSED = {
    **dict.fromkeys(
        (
            "PROMPT_TUNING",
            "MULTITASK_PROMPT_TUNING",
            "P_TUNING",
            "PREFIX_TUNING",
            "ADAPTION_PROMPT",
            "CARTRIDGE",
            "CPT",
        ),
        PROMPTS,
    ),
    **dict.fromkeys(
        ("ADAMSS", "FROD", "SHIRA"),
        "which weights it has is only known once those of the base model are read",
    ),
    "POLY": "it wants the number of a task with every row",
    "SHADOW": "it is a second model beside the first",
    "XLORA": "it mixes other adapters, which are not in its folder",
}
NOT_TRAINED = {"ADALORA": "it changes its ranks while it trains, which is not done here"}
NOT_IN_DPO = {"PVERA": "it draws at random while it trains, so the first loss is not that of DPO"}
QUANTIZABLE = (
    LORA,
    "ADALORA",
    "BEFT",
    "BOFT",
    "FOURIERFT",
    "GRALORA",
    "HIRA",
    "IA3",
    "LILY",
    "LN_TUNING",
    "MISS",
    "OFT",
    "PVERA",
    "ROAD",
    "TRAINABLE_TOKENS",
    "UNILORA",
    "VBLORA",
    "VERA",
)
"""Kinds that answer on 8- and 4-bit layers as on whole ones; others read their weights directly."""

SETTINGS = {
    "alora_invocation_tokens": "it acts only after certain tokens (aLoRA), which is not done here",
    "arrow_config": "it mixes other adapters (Arrow), which are not in its folder",
    "kasa_config": "it cuts the weights of the base model (KaSA), so that no base would be left",
    "layer_replication": "it repeats layers of the base model, so that no base would be left",
    "monteclora_config": "it draws at random (MonteCLoRA)",
}
"""Settings of LoRA that are refused when they are set."""

MOVING = ("pissa", "olora", "corda", "loftq", "lora_ga")
"""Beginnings of `init_lora_weights` that write into the base model when an adapter is made."""


def moves_base(config: PeftConfig) -> bool:
    """Tell whether making an adapter of this description changes the base model's own weights.

    Only LoRA has such starts (`MOVING`); the other kinds do not know the setting.
    """
    init = getattr(config, "init_lora_weights", True)
    return isinstance(init, str) and init.lower().startswith(MOVING)


def is_beside_base(config: PeftConfig) -> bool:
    """Tell whether the base answers when the trained adapter is switched off."""
    return not moves_base(config) and not _trains_biases(config)


def refusals(config: PeftConfig, purpose: Purpose, quantization: str = "none") -> Iterator[str]:
    """Yield the reasons why an adapter with this configuration cannot be used for `purpose`."""
    kind = str(getattr(config.peft_type, "value", config.peft_type))
    if kind in REFUSED:
        yield f"it is of the kind {kind}: {REFUSED[kind]}"
        return
    if kind not in KINDS:
        yield f"it is of the kind {kind}, which was never tried here"
    if purpose != "chat" and kind in NOT_TRAINED:
        yield f"it is of the kind {kind}: {NOT_TRAINED[kind]}"
    if purpose == "dpo" and kind in NOT_IN_DPO:
        yield f"it is of the kind {kind}: {NOT_IN_DPO[kind]}"
    if quantization != "none" and kind not in QUANTIZABLE:
        yield (
            f"it is of the kind {kind}, which computes with the whole weights of the base model "
            f"and not with model.quantization: {quantization}"
        )
    yield from (reason for name, reason in SETTINGS.items() if getattr(config, name, None))
    if moves_base(config):
        yield (
            f"it was saved with init_lora_weights={config.init_lora_weights!r}, so a part of the base model's weights "
            "is in it and would be counted twice"
        )
    if purpose == "dpo" and _trains_biases(config):
        yield (
            "it trains biases of the base model, which stay when the adapter is switched off, so "
            "DPO would lose its reference"
        )


def _trains_biases(config: PeftConfig) -> bool:
    return getattr(config, "bias", "none") not in ("none", None)
