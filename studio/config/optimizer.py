"""How weights are updated: the optimizer, its learning rates, and what it leaves alone."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import field_validator

from studio.config.setting import Section, setting

OptimizerName = Literal[
    "adamw_torch", "adamw_torch_fused", "adamw_8bit", "adamw_bnb_8bit", "paged_adamw_32bit",
    "paged_adamw_8bit", "adafactor", "lion_32bit", "lion_8bit", "paged_lion_32bit",
    "paged_lion_8bit", "ademamix", "ademamix_8bit", "paged_ademamix_32bit", "paged_ademamix_8bit",
    "sgd", "adagrad", "rmsprop", "rmsprop_bnb", "rmsprop_bnb_8bit", "rmsprop_bnb_32bit",
    "adamw_torch_8bit", "adamw_torch_4bit", "adamw_torch_xla", "adamw_torch_npu_fused",
    "adamw_anyprecision", "galore_adamw", "galore_adamw_8bit", "galore_adafactor",
    "galore_adamw_layerwise", "galore_adamw_8bit_layerwise", "galore_adafactor_layerwise",
    "apollo_adamw", "apollo_adamw_layerwise", "lomo", "adalomo", "grokadamw",
    "schedule_free_adamw", "schedule_free_radam", "schedule_free_sgd", "stable_adamw",
]  # fmt: skip
ScheduleName = Literal[
    "constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts",
    "cosine_with_min_lr", "polynomial", "inverse_sqrt", "warmup_stable_decay",
    "reduce_lr_on_plateau",
]  # fmt: skip
DEFAULT_RATES = {"sft": 2e-4, "dpo": 1e-5}
"""Learning rate by method where a run file, a command or the form gives none: TRL's for LoRA."""
TowerName = Literal["vision", "projector", "language", "head"]


class OptimizerConfig(Section):
    """Optimizer, learning rate, and what is left alone."""

    name: OptimizerName = setting(
        "adamw_torch",
        "Optimizer",
        "8-bit ones keep their state in a quarter of the memory; paged ones "
        "move it to main memory under pressure (CUDA).",
        effect="AdamW keeps 8 bytes per trained weight, 8-bit 2, Lion half of AdamW, Adafactor next to none.",
        trl="optim",
        level="basic",
    )
    learning_rate: float = setting(
        DEFAULT_RATES["sft"],
        "Learning rate",
        "LoRA: 1e-4…2e-4 for SFT, 5e-6…1e-5 for DPO (1e-5 when a DPO run does not say). The small "
        "embedded model takes about five times as much for SFT, and fifty times for DPO.",
        effect="Quality: too low learns nothing, too high breaks the model.",
        trl="learning_rate",
        level="basic",
        gt=0,
        le=1,
    )
    schedule: ScheduleName = setting(
        "linear",
        "Schedule",
        "How the learning rate changes over the run.",
        effect="Quality of the last steps; free.",
        trl="lr_scheduler_type",
    )
    warmup: float = setting(
        0.03,
        "Warm-up",
        "Below 1: share of all steps; 1 and above: number of steps.",
        effect="Quality: a calm start; free.",
        trl="warmup_steps",
        ge=0,
    )
    cycles: int = setting(
        1,
        "Restarts",
        "How often cosine_with_restarts starts again from the full rate; read by no other schedule.",
        effect="Quality; free.",
        trl="lr_scheduler_kwargs.num_cycles",
        ge=1,
        le=100,
    )
    lowest_rate: float = setting(
        0.1,
        "Lowest rate",
        "Share of the learning rate that cosine_with_min_lr and warmup_stable_decay end at; read by no other schedule.",
        effect="Quality of the last steps; free.",
        trl="lr_scheduler_kwargs.min_lr_rate",
        ge=0,
        lt=1,
    )
    decay_steps: int = setting(
        50,
        "Steps of decay",
        "Last steps, in which warmup_stable_decay comes down; read by no other schedule.",
        effect="Quality of the last steps; free.",
        trl="lr_scheduler_kwargs.num_decay_steps",
        ge=1,
    )
    weight_decay: float = setting(
        0.0,
        "Weight decay",
        "Pull of weights towards zero.",
        effect="Quality: a little against overfitting; free.",
        trl="weight_decay",
        ge=0,
        le=1,
    )
    max_grad_norm: float = setting(
        1.0,
        "Gradient clipping",
        "Largest gradient norm; 0.3 is the QLoRA paper's value.",
        effect="Quality: one bad batch does less harm; free.",
        trl="max_grad_norm",
        gt=0,
    )
    neftune: float | None = setting(
        None,
        "NEFTune noise",
        "Noise on the embeddings of the text (Jain et al. 2023), 5 to 15; images get none. Empty: none.",
        effect="Quality of answers learned from few rows; free. Prompts are not shared with it.",
        trl="neftune_noise_alpha",
        method="sft",
        gt=0,
        le=100,
    )
    freeze: list[TowerName] = setting(
        [],
        "Parts left as they are",
        "Without an adapter: parts of the model that are not trained.",
        effect="Memory: no gradients and no optimizer state for them; faster with vision frozen.",
        trl="requires_grad",
    )
    tower_rates: dict[str, float] = setting(
        {},
        "Learning rates by part",
        "A learning rate of its own for vision, projector, language or head; often a tenth for vision.",
        effect="Quality: the vision tower is easily spoiled; free.",
        trl="optimizer parameter groups",
        example="vision: 2e-5, language: 2e-4",
    )

    @property
    def updates_inside(self) -> bool:
        """Whether weights change during the backward pass, so that nothing can accumulate."""
        return self.name.endswith("layerwise") or self.name in ("lomo", "adalomo")

    @field_validator("tower_rates")
    @classmethod
    def _towers(cls, rates: dict[str, float]) -> dict[str, float]:
        known = get_args(TowerName)
        for name, rate in rates.items():
            if name not in known:
                raise ValueError(f"unknown part {name!r}. Choose from {', '.join(known)}.")
            if not 0 < rate <= 1:
                raise ValueError(f"the rate of {name} must be above 0 and at most 1.")
        return rates
