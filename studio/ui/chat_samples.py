"""Charts that come along, each with a question, to try the chat on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from studio.paths import SAMPLES

ROWS = SAMPLES / "heldout" / "train.jsonl"
SHOWN_KINDS = ("highest", "value", "comparison", "trend", "description", "data", "count", "form")


@dataclass(frozen=True)
class Sample:
    """An image and a question about it."""

    image: Path
    question: str


def load_samples(rows: Path = ROWS) -> list[Sample]:
    """The first sample of every kind in `SHOWN_KINDS`; none when the file is not there."""
    if not rows.is_file():
        return []
    first: dict[str, Sample] = {}
    for line in rows.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        first.setdefault(row["kind"], Sample(rows.parent / row["image"], row["question"]))
    return [first[kind] for kind in SHOWN_KINDS if kind in first]
