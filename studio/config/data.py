"""Which rows a run is trained and evaluated on."""

from __future__ import annotations

from studio.config.base import Section, setting


class DataConfig(Section):
    """Source, splits and column mapping."""

    source: str = setting(
        "embedded:sft",
        "Data",
        'A hub dataset id, a file, a folder, an export ("exports/…") or an embedded sample set.',
        level="basic",
        min_length=1,
    )
    train: str = setting(
        "train",
        "Training split",
        'Split to train on; slices work: "train[:10%]".',
        level="basic",
    )
    evaluation: str | None = setting(
        None,
        "Evaluation split",
        'Split to evaluate on. Empty: none. "5%" holds out that share of the training rows, by image.',
        level="basic",
    )
    columns: dict[str, str] = setting(
        {},
        "Columns",
        "Which column is the image, question, answer, chosen, rejected. Empty: recognised by itself.",
    )
    system_prompt: str | None = setting(
        None,
        "System prompt",
        "Put before every conversation, in training and in chat.",
    )
