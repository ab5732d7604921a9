"""Settings of direct preference optimization (Rafailov et al. 2023)."""

from __future__ import annotations

from pydantic import field_validator

from studio.config.base import Section, setting

LOSSES = (
    "sigmoid",
    "hinge",
    "ipo",
    "exo_pair",
    "nca_pair",
    "robust",
    "bco_pair",
    "sppo_hard",
    "aot",
    "aot_unpaired",
    "apo_zero",
    "apo_down",
    "discopop",
    "sft",
    "sigmoid_norm",
)


class DpoConfig(Section):
    """DPO losses and their strength."""

    beta: float = setting(
        0.1,
        "Beta",
        "How strongly the model is held to where it started; higher moves less.",
        level="basic",
        method="dpo",
        gt=0,
        le=10,
    )
    losses: dict[str, float] = setting(
        {"sigmoid": 1.0},
        "Losses",
        "Loss and weight. One for plain DPO; several make a mixture (MPO: sigmoid 0.8, bco_pair 0.2, sft 1.0).",
        level="basic",
        method="dpo",
    )
    label_smoothing: float = setting(
        0.0,
        "Label smoothing",
        "Assumed share of wrong labels (conservative DPO).",
        method="dpo",
        ge=0.0,
        lt=0.5,
    )

    @field_validator("losses")
    @classmethod
    def _known(cls, losses: dict[str, float]) -> dict[str, float]:
        unknown = sorted(set(losses) - set(LOSSES))
        if unknown:
            raise ValueError(f"unknown loss {unknown[0]!r}. Choose from {', '.join(LOSSES)}.")
        if not losses or not any(weight > 0 for weight in losses.values()):
            raise ValueError("give at least one loss with a weight above 0.")
        return losses
