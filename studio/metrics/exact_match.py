"""Answers compared as texts after normalisation."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from studio.core.errors import InputError
from studio.data.schema import Row


def normalise(text: str) -> str:
    """Return the form in which answers are compared.

    Unicode NFKC, case folded, whitespace collapsed, surrounding quotes and a final full stop
    removed. Punctuation within the text, units and digits stay as they are.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    collapsed = " ".join(folded.split())
    return collapsed.strip("\"'“”‘’").removesuffix(".").strip()


def exact_match(predictions: Sequence[str], references: Sequence[str | Sequence[str]]) -> float:
    """Return the share of predictions, in [0, 1], equal to their reference after `normalise`.

    A reference may list several acceptable answers. Raises InputError when there is nothing to
    compare or the two lengths differ.
    """
    if len(predictions) != len(references) or not predictions:
        raise InputError(
            f"Cannot compare {len(predictions)} predictions with {len(references)} references.",
            remedy="Give one reference for each prediction, and at least one.",
        )
    hits = [matches(*pair) for pair in zip(predictions, references, strict=True)]
    return sum(hits) / len(hits)


def matches(prediction: str, reference: str | Sequence[str]) -> bool:
    """Return whether a prediction equals its reference, or any of several, after `normalise`."""
    accepted = [reference] if isinstance(reference, str) else reference
    return normalise(prediction) in {normalise(answer) for answer in accepted}


def exact_match_score(prediction: str, accepted: Sequence[str], row: Row) -> float | None:
    """Score 1 for an answer that is accepted, else 0."""
    return float(matches(prediction, accepted)) if accepted else None
