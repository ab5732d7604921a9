"""How the optimizer goes over the rows."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator, model_validator

from studio.config.base import Section, setting

OptimizerName = Literal[
    "adamw_torch",
    "adamw_torch_fused",
    "adamw_8bit",
    "adamw_bnb_8bit",
    "paged_adamw_32bit",
    "paged_adamw_8bit",
    "adafactor",
    "lion_32bit",
    "lion_8bit",
    "paged_lion_32bit",
    "paged_lion_8bit",
    "ademamix",
    "ademamix_8bit",
    "paged_ademamix_32bit",
    "paged_ademamix_8bit",
    "sgd",
    "adagrad",
    "rmsprop",
    "rmsprop_bnb",
    "rmsprop_bnb_8bit",
    "rmsprop_bnb_32bit",
    "adamw_torch_8bit",
    "adamw_torch_4bit",
    "adamw_torch_xla",
    "adamw_torch_npu_fused",
    "adamw_anyprecision",
    "galore_adamw",
    "galore_adamw_8bit",
    "galore_adafactor",
    "galore_adamw_layerwise",
    "galore_adamw_8bit_layerwise",
    "galore_adafactor_layerwise",
    "apollo_adamw",
    "apollo_adamw_layerwise",
    "lomo",
    "adalomo",
    "grokadamw",
    "schedule_free_adamw",
    "schedule_free_radam",
    "schedule_free_sgd",
    "stable_adamw",
]
ScheduleName = Literal[
    "constant",
    "constant_with_warmup",
    "linear",
    "cosine",
    "cosine_with_restarts",
    "cosine_with_min_lr",
    "polynomial",
    "inverse_sqrt",
    "warmup_stable_decay",
    "reduce_lr_on_plateau",
]
SAVINGS = ("share_images", "share_prompts", "cache_features", "cache_reference")
TowerName = Literal["vision", "projector", "language", "head"]


class BatchConfig(Section):
    """Batch sizes. Accumulation is derived from the two and always kept."""

    per_device: int = setting(
        4,
        "Rows at once",
        "Rows in memory at a time on each device. Lower it when memory is short.",
        effect="Activations grow with it; larger is faster on a GPU. The result stays the same.",
        trl="per_device_train_batch_size",
        level="basic",
        ge=1,
        le=4096,
    )
    total: int = setting(
        16,
        "Effective batch",
        "Rows per optimizer step. Reached by gradient accumulation, so it must be a multiple of rows at once.",
        effect="Quality: larger is steadier, with fewer steps. Memory stays.",
        trl="per_device_train_batch_size × gradient_accumulation_steps",
        level="basic",
        ge=1,
        le=65536,
    )
    on_oom: Literal["shrink", "fail"] = setting(
        "shrink",
        "When memory runs out",
        "Shrink: halve the rows at once, keep the effective batch and go on. Fail: stop with an explanation.",
        effect="Time of a restart from the last complete step.",
    )
    gradient_checkpointing: bool = setting(
        False,
        "Gradient checkpointing",
        "Recompute activations in the backward pass: about a third slower, far less memory.",
        effect="Activations shrink to one layer's and the layers' inputs; a third slower.",
        trl="gradient_checkpointing",
        level="basic",
    )

    @model_validator(mode="after")
    def _total_is_a_multiple(self) -> BatchConfig:
        if self.total % self.per_device:
            raise ValueError(
                f"total={self.total} is not a multiple of per_device={self.per_device}. "
                f"Set batch.total to {-(-self.total // self.per_device) * self.per_device} "
                "or choose batch.per_device to divide it."
            )
        return self


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
        2e-4,
        "Learning rate",
        "LoRA: 1e-4…2e-4 for SFT, 5e-6…1e-5 for DPO. The small embedded model "
        "takes about ten times as much.",
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
    )

    @field_validator("tower_rates")
    @classmethod
    def _towers(cls, rates: dict[str, float]) -> dict[str, float]:
        known = ("vision", "projector", "language", "head")
        for name, rate in rates.items():
            if name not in known:
                raise ValueError(f"unknown part {name!r}. Choose from {', '.join(known)}.")
            if not 0 < rate <= 1:
                raise ValueError(f"the rate of {name} must be above 0 and at most 1.")
        return rates


class ScheduleConfig(Section):
    """How long, and how often to look, save and stop."""

    epochs: float = setting(
        1.0,
        "Epochs",
        "Times over the training rows.",
        effect="Time; more than three often overfits.",
        trl="num_train_epochs",
        level="basic",
        gt=0,
        le=1000,
    )
    max_steps: int | None = setting(
        None,
        "Most steps",
        "Stop after this many optimizer steps, whatever the epochs.",
        effect="Time.",
        trl="max_steps",
        ge=1,
    )
    log_every: int = setting(
        1,
        "Log every (steps)",
        "How often loss is recorded.",
        effect="Finer curves; free.",
        trl="logging_steps",
        ge=1,
    )
    evaluate_every: int | None = setting(
        50,
        "Evaluate every (steps)",
        "How often the evaluation split is scored. Empty: at the end.",
        effect="Time of every evaluation.",
        trl="eval_steps",
        ge=1,
    )
    save_every: int = setting(
        100,
        "Save every (steps)",
        "How often a checkpoint is written.",
        effect="Disk, and how much is lost when the machine stops.",
        trl="save_steps",
        ge=1,
    )
    keep: int = setting(
        2,
        "Checkpoints kept",
        "Older ones are deleted; the best one stays when it is kept.",
        effect="Disk.",
        trl="save_total_limit",
        ge=1,
        le=100,
    )
    keep_best: bool = setting(
        False,
        "Keep the best",
        "End with the checkpoint that scored best, not with the last one. Saves must fall on evaluations.",
        effect="Quality when the run overfits; one more checkpoint on disk.",
        trl="load_best_model_at_end",
    )
    metric: Literal["loss", "mean_token_accuracy", "rewards/accuracies", "rewards/margins"] = (
        setting(
            "loss",
            "Best means",
            "Which score of the evaluation decides what is best, for early stopping too. Rewards are DPO's.",
            effect="Quality; free.",
            trl="metric_for_best_model",
        )
    )
    early_stopping: int | None = setting(
        None,
        "Early stopping",
        "Stop after this many evaluations without improvement. Empty: never.",
        effect="Time saved when nothing more is learned.",
        trl="EarlyStoppingCallback",
        ge=1,
    )
    seed: int = setting(
        42,
        "Seed",
        "Same seed, same order and initialisation.",
        effect="Quality only by luck; try two to know how much.",
        trl="seed",
        ge=0,
        le=2**32 - 1,
    )


class SpeedConfig(Section):
    """Work saved without changing the losses. `off` is stock TRL."""

    share_images: Literal["auto", "off"] = setting(
        "auto", "Encode each image once", "Per batch.", effect="Time and memory; exact."
    )
    share_prompts: Literal["auto", "off"] = setting(
        "auto", "Share the prompt", "Between two answers.", effect="Time and memory; exact."
    )
    cache_features: Literal["auto", "off"] = setting(
        "auto", "Cache image features", "On disk.", effect="Time of later epochs; disk; exact."
    )
    cache_reference: Literal["auto", "off"] = setting(
        "auto",
        "Cache reference scores",
        "On disk.",
        effect="Time of later epochs; exact.",
        trl="precompute_ref_log_probs",
    )
    cache_gigabytes: float = setting(
        20.0,
        "Largest cache (GiB)",
        "Most disk space all cached image features may take; the longest unused go first.",
        effect="Disk.",
        gt=0,
    )
    workers: int | None = setting(
        None,
        "Preparing processes",
        "Processes that prepare images ahead. Empty: two beside a GPU, none on the CPU.",
        effect="Time beside a GPU; main memory.",
        trl="dataloader_num_workers",
        ge=0,
        le=64,
    )
