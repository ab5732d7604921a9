"""Questions about images that a model writes: rows that can be answered, marked as what they are."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from studio.data.schema import Message, Part, Row
from studio.evaluation.candidate_pairs import near
from studio.evaluation.evaluation import DrawnAnswers

INSTRUCTION = "Ask one question about this image that can be answered by looking at it. Write only the question."
WRITTEN = "question_written_by"
"""Name in `Row.meta`: the model that wrote the question."""
_QUESTION = re.compile(r"[^\n?？؟]*\w[^\n?？؟]*[?？؟]")


@dataclass(frozen=True)
class QuestionRows:
    """One row for each different question about some images.

    Attributes:
        written: Texts that have a question; `repeats` of them ask the same as another.
        others: Texts that ask nothing.
    """

    rows: tuple[Row, ...]
    written: int
    repeats: int = 0
    others: int = 0


def asking_rows(rows: Iterable[Row], instruction: str = INSTRUCTION) -> list[Row]:
    """Return a row for each different set of images, by which a model is asked for questions."""
    found: dict[tuple[str, ...], Row] = {}
    for row in rows:
        if row.images:
            images = tuple(Part("image") for _ in row.images)
            prompt = (Message("user", (*images, Part("text", instruction))),)
            asked = Row(row.external_id, row.images, prompt, meta=row.meta)
            found.setdefault(row.images, asked)
    return list(found.values())


def question_rows(
    row: Row, drawn: Mapping[str, DrawnAnswers], decoding: Mapping[str, list[dict[str, Any]]]
) -> QuestionRows:
    """Make rows of the questions that were written about a row's images."""
    texts: dict[str, str] = {}
    written = repeats = others = 0
    for name, found in drawn.items():
        for answer, _ in zip(found.answers, decoding[name], strict=False):
            asked = _QUESTION.search(answer.text)
            if asked is None:
                others += 1
                continue
            written += 1
            text = asked.group().strip(" *_\"'-:")
            if any(near(text, other) for other in texts):
                repeats += 1
            else:
                texts[text] = name
    rows = [_row(row, text, name) for text, name in texts.items()]
    return QuestionRows(tuple(rows), written, repeats, others)


def _row(row: Row, text: str, author: str) -> Row:
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    (turn,) = row.prompt
    images = tuple(part for part in turn.parts if part.type == "image")
    return replace(
        row,
        external_id=f"{row.external_id[:480]}?{digest}",
        prompt=(Message("user", (*images, Part("text", text))),),
        meta={**row.meta, WRITTEN: author},
    )
