"""From rows of data to what is evaluated."""

from __future__ import annotations

from collections.abc import Iterable

from studio.core.errors import DataError
from studio.data.image_store import ImageStore
from studio.data.schema import Message, Row
from studio.models.prompts import EvalExample, PreferencePair


def example_of(row: Row, images: ImageStore) -> EvalExample:
    """Return the prompt of `row` with its images opened."""
    return EvalExample([images.open(sha) for sha in row.images], [_template(m) for m in row.prompt])


def references_of(rows: Iterable[Row]) -> list[str]:
    """Return the reference answer of each row.

    Raises:
        DataError: A row has none.
    """
    found = []
    for row in rows:
        if row.completion is None:
            raise DataError(
                f"Row {row.external_id} has no reference answer.",
                remedy="Evaluate on rows with an answer column.",
                field="data.columns.answer",
            )
        found.append(row.completion.text)
    return found


def pairs_of(rows: Iterable[Row], images: ImageStore) -> list[PreferencePair]:
    """Return the rows that carry a preference, as pairs."""
    return [
        PreferencePair(example_of(row, images), row.chosen.text, row.rejected.text)
        for row in rows
        if row.chosen is not None and row.rejected is not None
    ]


def _template(message: Message) -> dict[str, object]:
    content = [
        {"type": "image"} if part.type == "image" else {"type": "text", "text": part.text}
        for part in message.parts
    ]
    return {"role": message.role, "content": content}
