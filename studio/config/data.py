"""Which rows a run is trained and evaluated on."""

from __future__ import annotations

from typing import Literal

from studio.config.setting import Section, setting


class DataConfig(Section):
    """Source, splits and column mapping."""

    source: str = setting(
        "embedded:sft",
        "Data",
        'A hub dataset id, a file, a folder, a dataset of the library ("library:…"), an export ("exports/…") or an embedded sample set.',
        effect="Quality, more than any other setting.",
        trl="train_dataset",
        level="basic",
        min_length=1,
    )
    train: str = setting(
        "train",
        "Training split",
        'Split to train on; slices work: "train[:10%]".',
        effect="Time grows with the rows.",
        trl="split",
        level="basic",
    )
    evaluation: str | None = setting(
        None,
        "Evaluation split",
        'Split to evaluate on. Empty: none. "5%" holds out that share of the training rows, by image.',
        effect="Time of every evaluation; shows overfitting.",
        trl="eval_dataset",
        level="basic",
    )
    columns: dict[str, str] = setting(
        {},
        "Columns",
        "Which column is the image, question, answer, chosen, rejected. Empty: recognised by itself.",
        effect="None besides what is learned.",
        example="image: picture, answer: label",
    )
    where: dict[str, str | bool | int | float] = setting(
        {},
        "Only rows where",
        "Rows are used only when these columns have these values. Empty: all rows.",
        effect="Time, and what is learned.",
        trl="Dataset.filter",
        example="predicate: LineComparison",
    )
    system_prompt: str | None = setting(
        None,
        "System prompt",
        "Put before every conversation, in training and in chat.",
        effect="Its tokens in every row.",
    )
    max_length: int | None = setting(
        None,
        "Maximum length (tokens)",
        "The most tokens of a row, image tokens included; too_long says what becomes of longer ones. Empty: as many as the model reads.",
        effect="Bounds memory.",
        trl="max_length",
        ge=16,
    )
    too_long: Literal["leave_out", "refuse", "cut_answer"] = setting(
        "leave_out",
        "Rows that are too long",
        "Leave them out, counted and named; refuse the run; or cut the end of their answers. The question and its images are never cut. For DPO the longer answer counts.",
        effect="Cut answers never learn to end, and take the stock path.",
        trl="max_length",
    )
    turns: Literal["all", "last"] = setting(
        "all",
        "Answers to learn",
        "SFT scores every answer of a conversation, or its last one only. A turn with weight: 0 is never scored. DPO compares last answers.",
        effect="Quality: more answers learned from the same rows.",
        trl="assistant_only_loss",
        method="sft",
    )
