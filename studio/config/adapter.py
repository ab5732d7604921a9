"""LoRA and its relatives."""

from __future__ import annotations

from typing import Literal

from studio.config.base import Section, setting

InitWeights = Literal["default", "gaussian", "pissa", "olora", "orthogonal"]
TARGET_GROUPS = ("language", "vision+language", "all-linear")


class AdapterConfig(Section):
    """A low-rank adapter (LoRA, Hu et al. 2021)."""

    rank: int = setting(
        16,
        "Rank",
        "Size of the adapter. 8–16 for a style or format, 32–64 for new knowledge.",
        level="basic",
        ge=1,
        le=1024,
    )
    alpha: int = setting(
        32,
        "Alpha",
        "Strength of the adapter: its output is scaled by alpha ÷ rank.",
        level="basic",
        ge=1,
        le=4096,
    )
    dropout: float = setting(
        0.0,
        "Dropout",
        "Share of adapter inputs dropped while training; 0.05–0.1 against overfitting.",
        ge=0.0,
        lt=1.0,
    )
    targets: str | list[str] = setting(
        "language",
        "Where it is applied",
        "The language model, the vision tower too, every linear layer, or names or a pattern of yours.",
        level="basic",
    )
    dora: bool = setting(
        False,
        "DoRA",
        "Learn magnitude and direction apart (Liu et al. 2024): better at low rank, slower.",
    )
    rslora: bool = setting(
        False,
        "rsLoRA",
        "Scale by alpha ÷ √rank (Kalajdzievski 2023): keeps high ranks stable.",
    )
    init: InitWeights = setting(
        "default",
        "Initialisation",
        "How adapter weights start. PiSSA and OLoRA need unquantized weights.",
    )
    continue_from: str | None = setting(
        None,
        "Continue from",
        "Train an earlier adapter further: a run of this workspace, or an adapter folder.",
        level="basic",
    )
