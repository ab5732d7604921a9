"""LoRA and its relatives."""

from __future__ import annotations

from typing import Literal

from studio.config.setting import Section, setting

InitWeights = Literal[
    "default", "gaussian", "orthogonal", "pissa", "olora", "eva", "loftq", "corda", "mica"
]
TARGET_GROUPS = (
    "language",
    "vision",
    "projector",
    "vision+language",
    "projector+language",
    "all-linear",
)
MOVES_WEIGHTS = ("pissa", "olora")
"""Initialisations that move part of the base weights into the adapter."""


class AdapterConfig(Section):
    """A low-rank adapter (LoRA, Hu et al. 2021)."""

    rank: int = setting(
        16,
        "Rank",
        "Size of the adapter. 8–16 for a style or format, 32–64 for new knowledge.",
        effect="Memory of adapter, gradients and optimizer grows with it; time hardly.",
        trl="r",
        level="basic",
        ge=1,
        le=1024,
    )
    alpha: int = setting(
        32,
        "Alpha",
        "Strength of the adapter: its output is scaled by alpha ÷ rank.",
        effect="Quality: like a larger learning rate. Memory and time stay.",
        trl="lora_alpha",
        level="basic",
        ge=1,
        le=4096,
    )
    dropout: float = setting(
        0.0,
        "Dropout",
        "Share of adapter inputs dropped while training; 0.05–0.1 against overfitting.",
        effect="Quality on few rows; a little slower. DPO trains without any dropout.",
        trl="lora_dropout",
        ge=0.0,
        lt=1.0,
    )
    targets: str | list[str] = setting(
        "language",
        "Where it is applied",
        "The language model, the vision tower, the projector, or several joined by +; all-linear: every linear layer; or names or a pattern of yours.",
        effect="Adapting vision costs much more memory and time: images are encoded with gradients.",
        trl="target_modules",
        level="basic",
    )
    bias: Literal["none", "lora_only", "all"] = setting(
        "none",
        "Biases trained too",
        "None, those of the adapted layers, or all biases of the model (SFT only).",
        effect="Quality: a little more freedom. Hardly any memory.",
        trl="bias",
    )
    dora: bool = setting(
        False,
        "DoRA",
        "Learn magnitude and direction apart (Liu et al. 2024): better at low rank, slower.",
        effect="Quality at low rank; a third to a half slower, a little more memory.",
        trl="use_dora",
    )
    rslora: bool = setting(
        False,
        "rsLoRA",
        "Scale by alpha ÷ √rank (Kalajdzievski 2023): keeps high ranks stable.",
        effect="Quality at ranks of 64 and more; free.",
        trl="use_rslora",
    )
    init: InitWeights = setting(
        "default",
        "Initialisation",
        "How adapter weights start. PiSSA, OLoRA and orthogonal need unquantized weights; EVA reads some rows first.",
        effect="Quality: PiSSA, OLoRA and EVA learn faster at first. Time: a minute more at the start; EVA, 50 to 200 forward passes.",
        trl="init_lora_weights",
    )
    lora_plus_ratio: float | None = setting(
        None,
        "LoRA+ ratio",
        "Learn the output matrices B this many times faster than A (Hayou et al. 2024); 16 is the paper's value. Empty: equally fast.",
        effect="Quality and speed of learning; free.",
        trl="loraplus_lr_ratio",
        ge=1,
        le=256,
    )
    modules_to_save: list[str] = setting(
        [],
        "Modules trained whole",
        "Names of modules trained in full beside the adapter and saved with it, such as the projector.",
        effect="Memory: weights, gradients and optimizer state of those modules in full.",
        trl="modules_to_save",
    )
    continue_from: str | None = setting(
        None,
        "Continue from",
        "Train an earlier adapter further: a run of this workspace, or an adapter folder.",
        effect="Quality: goes on from what was learned. Its rank and targets stay as they are.",
        trl="PeftModel.from_pretrained",
        level="basic",
    )
    base_is_same: bool = setting(
        False,
        "It is the same base model",
        "The adapter to continue from, or DPO's reference, names its base model by another name or path than this run. Switch on when both are one model; the weights must fit exactly either way.",
        effect="None: it only confirms what cannot be seen from the files.",
    )
