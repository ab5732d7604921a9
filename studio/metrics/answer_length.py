"""Length of answers."""

from __future__ import annotations

from collections.abc import Sequence

from studio.data.schema import Row


def characters_score(prediction: str, accepted: Sequence[str], row: Row) -> float:
    """Count the characters of an answer, without spaces around it."""
    return float(len(prediction.strip()))


def words_score(prediction: str, accepted: Sequence[str], row: Row) -> float:
    """Count the words of an answer, by the spaces between them."""
    return float(len(prediction.split()))
