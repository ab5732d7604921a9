"""Rows as the trained model and what is made of it are asked them: plain values, images as files."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedModel, ProcessorMixin

from studio.core.errors import DataError
from studio.data.image_store import ImageStore
from studio.data.schema import Row
from studio.models.answering.row_prompts import PromptWriter

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Questions:
    """What is asked.

    Attributes:
        rows: For each question `messages`, as the chat template takes them, and `images`, paths.
        source: Where they are from, in words.
        left_out: Rows that cannot be asked.
    """

    rows: tuple[dict[str, Any], ...]
    source: str
    left_out: int = 0


def questions_of(
    rows: Sequence[Row],
    source: str,
    model: PreTrainedModel,
    processor: ProcessorMixin,
    images: ImageStore,
) -> Questions:
    """Return the questions that rows ask, as training writes them.

    Raises:
        DataError: None of them can be asked.
    """
    writer = PromptWriter(model, processor, images)
    found: list[dict[str, Any]] = []
    refused: DataError | None = None
    for number, row in enumerate(rows):
        try:
            prompt = writer.prompt(number, row)
            for image in prompt.images:
                image.pixels()
        except DataError as error:
            refused = error
            logger.info("Row %s is not asked: %s", row.external_id, error.message)
            continue
        paths = [str(images.path(sha).resolve()) for sha in row.images]
        found.append({"messages": list(prompt.turns), "images": paths})
    if not found:
        reason = f" ({refused.message})" if refused else ""
        raise DataError(
            f"No row of {source} can be asked{reason}, so nothing can be compared.",
            remedy="Name other rows with --data, for example --data embedded:heldout.",
            field="data",
        )
    return Questions(tuple(found), source, len(rows) - len(found))
