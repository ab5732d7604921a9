"""How training goes over the rows: batches, length, and work saved on the way."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import model_validator

from studio.config.setting import Section, setting

SAVINGS = ("share_images", "share_prompts", "cache_features", "cache_reference")
MOST_EPOCHS = 1000
AnswerMetric = Literal[
    "exact_match",
    "relaxed_accuracy",
    "anls",
    "vqa_accuracy",
    "choice_accuracy",
    "yes_no_accuracy",
    "yes_f1",
    "json_fields",
    "chrf",
    "rouge_l",
]
"""Metrics of generated answers by which the best checkpoint can be chosen; more is better."""
ANSWER_METRICS: tuple[str, ...] = get_args(AnswerMetric)
BestMetric = Literal[
    "loss", "mean_token_accuracy", "rewards/accuracies", "rewards/margins", AnswerMetric
]


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
    largest: bool = setting(
        False,
        "Start with the largest batch",
        "When the run starts, rows at once are set to the most that its plan has room for; the effective batch stays.",
        effect="Time: fewer passes a step. Memory: up to what the device has.",
        trl="auto_find_batch_size",
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
        le=MOST_EPOCHS,
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
    answer_rows: int | None = setting(
        None,
        "Answers scored (rows)",
        "So many evaluation rows are answered before training and at every evaluation, and scored by "
        "the metrics that suit them. Empty: none.",
        effect="Time of an answer a row, each time; nothing learned changes.",
        ge=1,
        le=2_000,
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
    metric: BestMetric = setting(
        "loss",
        "Best means",
        "Which score of the evaluation decides what is best, for early stopping too. Rewards are "
        "DPO's; exact_match and what follows are of generated answers.",
        effect="Quality; free.",
        trl="metric_for_best_model",
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

    @property
    def all_off(self) -> bool:
        """Whether nothing is to be saved: TRL's trainers exactly."""
        return all(getattr(self, name) == "off" for name in SAVINGS)
