"""Which rows a run is trained and evaluated on."""

from __future__ import annotations

from studio.config.base import Section, setting


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
        "Answers are cut so that a row has no more tokens; a run that would lose image tokens is refused. Empty: nothing is cut, best with images.",
        effect="Bounds memory; cut answers never learn to end. Takes the stock path.",
        trl="max_length",
        ge=16,
    )
