"""How long a run goes on, and how often it is scored and saved."""

from __future__ import annotations

from typing import Literal, get_args

from studio.config.setting import Section, setting

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
