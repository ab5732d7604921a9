"""Metrics over texts. Nothing here loads a model."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from studio.core.errors import InputError

EVASIVE = re.compile(
    r"(does|do|did)(n't| not) (provide|contain|include|give|show|specify|mention) "
    r"(any |enough |sufficient )?(information|details?|data)"
    r"|(no|not enough|insufficient) (information|details|context)\b"
    r"|(can't|cannot|can not|could not|couldn't|unable to|impossible to|not possible to) "
    r"(be )?(determined?|tell|say|answer(ed)?|see|provide|identify|identified|assist|help)"
    r"|\b(not|isn't) (clear|visible|specified|mentioned|provided|stated) (in|from|by) the image"
    r"|\b(as an ai|i'm sorry|i am sorry|i apologi[sz]e)\b"
    r"|无法(确定|判断|回答|提供|识别)|没有(提供|足够)"
)


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


def is_evasive(text: str) -> bool:
    """Return whether an answer dodges its question: it pleads missing information or refuses.

    Recognises the usual English and some Chinese phrases; an empty answer is not evasive.
    """
    return EVASIVE.search(normalise(text).replace("’", "'")) is not None


def evasive_rate(texts: Iterable[str]) -> float:
    """Return the share of texts, in [0, 1], that are evasive. Raises InputError when there are none."""
    verdicts = [is_evasive(text) for text in texts]
    if not verdicts:
        raise InputError("No answers to rate.", remedy="Give at least one.")
    return sum(verdicts) / len(verdicts)
