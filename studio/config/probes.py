"""What a run is asked before, while and after it trains."""

from __future__ import annotations

from pydantic import field_validator

from studio.config.setting import Section, setting


class ProbeConfig(Section):
    """Fixed questions, answered before training and while it goes on."""

    count: int = setting(
        3,
        "Probes",
        "Rows (of the evaluation split, else of the training rows) whose questions the model "
        "answers before training and while it learns. 0: none.",
        effect="Time: a few answers now and then; nothing learned changes.",
        ge=0,
        le=32,
    )
    every: int | None = setting(
        None,
        "Probe every (steps)",
        "How often the probes are answered. Empty: four times over the run, or at the end of a short one.",
        effect="Time of the answers.",
        ge=1,
    )
    max_new_tokens: int = setting(
        64,
        "Longest probe answer (tokens)",
        "Answers are cut here.",
        effect="Time of the answers.",
        trl="max_new_tokens",
        ge=1,
        le=2048,
    )
    seconds: float = setting(
        60.0,
        "Longest round of probes (seconds)",
        "Time one round of answers may take, and each measure of what is forgotten. Of a slow model "
        "less is asked: fewer probes, shorter answers, less often; the run says so.",
        effect="Time of a few such rounds at most.",
        gt=0,
        le=86_400,
    )
    forgetting: str | None = setting(
        "auto",
        "Forgetting is measured on",
        "Rows unlike the training rows, scored before and after to see what was forgotten: a data "
        'source, or "auto" (embedded samples). Empty: not measured.',
        effect="Time of two passes over up to twelve rows.",
    )

    held_out: int | None = setting(
        64,
        "Held-out rows compared at the end",
        "After training, up to so many rows of the evaluation split are answered by the model as it "
        "began and as it ended, and scored by the metrics that suit them. Empty, or none: not at all.",
        effect="Time of two answers a row, after the run, as a job of its own.",
        ge=1,
        le=10_000,
    )

    @field_validator("held_out", mode="before")
    @classmethod
    def _none_in_words(cls, rows: object) -> object:
        return None if rows in ("none", 0) else rows
