"""Settings of direct preference optimization (Rafailov et al. 2023)."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from studio.config.setting import Section, setting

LOSSES = (
    "sigmoid", "hinge", "ipo", "exo_pair", "nca_pair", "robust", "bco_pair", "sppo_hard", "aot",
    "aot_unpaired", "apo_zero", "apo_down", "discopop", "sft", "sigmoid_norm",
)  # fmt: skip
MPO = {"sigmoid": 0.8, "bco_pair": 0.2, "sft": 1.0}
"""Mixed preference optimization (Wang et al. 2024), as the cookbook weighs it."""

SMOOTHED = ("exo_pair", "robust", "aot", "aot_unpaired")
"""Losses that read `label_smoothing`; the others ignore it."""

DIFFERENCE_LOSSES = (
    "sigmoid", "sigmoid_norm", "hinge", "ipo", "exo_pair", "robust", "discopop", "sft",
)  # fmt: skip
"""Losses of the difference of two scores, the only ones another f-divergence is defined for."""

UNWEIGHTABLE = ("aot", "aot_unpaired")
"""Losses that sort their rows, so that a weight of its own cannot follow a pair."""

FDivergence = Literal["reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"]


class DpoConfig(Section):
    """DPO losses and their strength."""

    beta: float = setting(
        0.1,
        "Beta",
        "How strongly the model is held to where it started; higher moves less.",
        effect="Quality: small values learn more and forget more. Free.",
        trl="beta",
        level="basic",
        method="dpo",
        gt=0,
        le=10,
    )
    losses: dict[str, float] = setting(
        {"sigmoid": 1.0},
        "Losses",
        "Loss and weight. One for plain DPO; several make a mixture (MPO: sigmoid 0.8, bco_pair 0.2, sft 1.0).",
        effect="Quality; memory and time are the same for all of them.",
        trl="loss_type, loss_weights",
        level="basic",
        method="dpo",
    )
    label_smoothing: float = setting(
        0.0,
        "Label smoothing",
        "Assumed share of wrong labels, for robust (0.1), exo_pair (0.001), aot and aot_unpaired.",
        effect="Quality with noisy labels; free.",
        trl="label_smoothing",
        method="dpo",
        ge=0.0,
        lt=0.5,
    )
    ld_alpha: float | None = setting(
        None,
        "Weight of the longer tail",
        "Weight of the words by which one answer is longer than the other (LD-DPO, Liu et al. 2024); 0 ignores them. Empty: 1.",
        effect="Quality: against answers growing longer; free.",
        trl="ld_alpha",
        method="dpo",
        ge=0.0,
        le=1.0,
    )
    f_divergence: FDivergence = setting(
        "reverse_kl",
        "Divergence",
        "How distance from the reference is measured (f-DPO, Wang et al. 2023); others than reverse_kl go with losses of a difference only.",
        effect="Quality: others keep more variety in answers; free.",
        trl="f_divergence_type",
        method="dpo",
    )
    f_alpha: float = setting(
        0.5,
        "Divergence's alpha",
        "The α of alpha_divergence; read by no other divergence.",
        effect="Quality; free.",
        trl="f_alpha_divergence_coef",
        method="dpo",
        gt=0.0,
        le=1.0,
    )
    weighting: bool = setting(
        False,
        "Weigh pairs by likelihood",
        "Pairs that the model itself would rather say count more (WPO, Zhou et al. 2024).",
        effect="Quality with pairs from other models; a little slower.",
        trl="use_weighting",
        method="dpo",
    )
    discopop_tau: float = setting(
        0.05,
        "DiscoPOP's temperature",
        "Where the discopop loss blends its two parts (Lu et al. 2024); read by that loss only.",
        effect="Quality; free.",
        trl="discopop_tau",
        method="dpo",
        gt=0.0,
        le=10,
    )
    reference: str = setting(
        "auto",
        "Reference",
        '"base": the model without adapters; "adapter": the one continued from, as it was; or another run or adapter folder. Auto: the adapter continued from, else the base.',
        effect="Quality: what the model is held to. Another adapter takes its own memory.",
        trl="ref_model",
        method="dpo",
        min_length=1,
    )

    @field_validator("losses")
    @classmethod
    def _known(cls, losses: dict[str, float]) -> dict[str, float]:
        unknown = sorted(set(losses) - set(LOSSES))
        if unknown:
            raise ValueError(f"unknown loss {unknown[0]!r}. Choose from {', '.join(LOSSES)}.")
        if not losses or not any(weight > 0 for weight in losses.values()):
            raise ValueError("give at least one loss with a weight above 0.")
        negative = sorted(name for name, weight in losses.items() if weight < 0)
        if negative:
            raise ValueError(f"the weight of {negative[0]} is below 0. Use 0 or more.")
        return losses
