"""How the optimizer goes over the rows."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from studio.config.base import Section, setting

OptimizerName = Literal[
    "adamw_torch",
    "adamw_torch_fused",
    "adamw_8bit",
    "paged_adamw_32bit",
    "paged_adamw_8bit",
    "lion_8bit",
    "paged_lion_8bit",
    "adafactor",
    "sgd",
]
ScheduleName = Literal["constant", "constant_with_warmup", "linear", "cosine"]


class BatchConfig(Section):
    """Batch sizes. Accumulation is derived from the two and always kept."""

    per_device: int = setting(
        4,
        "Rows at once",
        "Rows in memory at a time on each device. Lower it when memory is short.",
        level="basic",
        ge=1,
        le=4096,
    )
    total: int = setting(
        16,
        "Effective batch",
        "Rows per optimizer step. Reached by gradient accumulation, so it must be a multiple of rows at once.",
        level="basic",
        ge=1,
        le=65536,
    )
    on_oom: Literal["shrink", "fail"] = setting(
        "shrink",
        "When memory runs out",
        "Shrink: halve the rows at once, keep the effective batch and go on. Fail: stop with an explanation.",
    )
    gradient_checkpointing: bool = setting(
        False,
        "Gradient checkpointing",
        "Recompute activations in the backward pass: about a third slower, far less memory.",
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
    """Optimizer and learning rate."""

    name: OptimizerName = setting(
        "adamw_torch",
        "Optimizer",
        "8-bit ones keep their state in a quarter of the memory; paged ones "
        "move it to main memory under pressure (CUDA).",
        level="basic",
    )
    learning_rate: float = setting(
        2e-4,
        "Learning rate",
        "LoRA: 1e-4…2e-4 for SFT, 5e-6…1e-5 for DPO. The small embedded model "
        "takes about ten times as much.",
        level="basic",
        gt=0,
        le=1,
    )
    schedule: ScheduleName = setting(
        "linear", "Schedule", "How the learning rate changes over the run."
    )
    warmup: float = setting(
        0.03,
        "Warm-up",
        "Below 1: share of all steps; 1 and above: number of steps.",
        ge=0,
    )
    weight_decay: float = setting(0.0, "Weight decay", "Pull of weights towards zero.", ge=0, le=1)
    max_grad_norm: float = setting(
        1.0,
        "Gradient clipping",
        "Largest gradient norm; 0.3 is the QLoRA paper's value.",
        gt=0,
    )


class ScheduleConfig(Section):
    """How long, and how often to look, save and stop."""

    epochs: float = setting(
        1.0, "Epochs", "Times over the training rows.", level="basic", gt=0, le=1000
    )
    max_steps: int | None = setting(
        None,
        "Most steps",
        "Stop after this many optimizer steps, whatever the epochs.",
        ge=1,
    )
    log_every: int = setting(1, "Log every (steps)", "How often loss is recorded.", ge=1)
    evaluate_every: int | None = setting(
        50,
        "Evaluate every (steps)",
        "How often the evaluation split is scored. Empty: at the end.",
        ge=1,
    )
    save_every: int = setting(100, "Save every (steps)", "How often a checkpoint is written.", ge=1)
    keep: int = setting(2, "Checkpoints kept", "Older ones are deleted.", ge=1, le=100)
    early_stopping: int | None = setting(
        None,
        "Early stopping",
        "Stop after this many evaluations without improvement. Empty: never.",
        ge=1,
    )
    seed: int = setting(42, "Seed", "Same seed, same order and initialisation.", ge=0, le=2**32 - 1)


class SpeedConfig(Section):
    """Work saved without changing the losses. `off` is stock TRL."""

    share_images: Literal["auto", "off"] = setting("auto", "Encode each image once", "Per batch.")
    share_prompts: Literal["auto", "off"] = setting(
        "auto", "Share the prompt", "Between two answers."
    )
    cache_features: Literal["auto", "off"] = setting("auto", "Cache image features", "On disk.")
    cache_reference: Literal["auto", "off"] = setting("auto", "Cache reference scores", "On disk.")
    cache_gigabytes: float = setting(
        20.0,
        "Largest cache (GiB)",
        "Most disk space all cached image features may take; the longest unused go first.",
        gt=0,
    )
    workers: int | None = setting(
        None,
        "Preparing processes",
        "Processes that prepare images ahead. Empty: two beside a GPU, none on the CPU.",
        ge=0,
        le=64,
    )
