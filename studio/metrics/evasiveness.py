"""Answers that dodge their question."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from studio.core.errors import InputError
from studio.data.schema import Row
from studio.metrics.exact_match import normalise

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


def evasive_score(prediction: str, accepted: Sequence[str], row: Row) -> float:
    """Score 1 for an answer that is evasive, else 0."""
    return float(is_evasive(prediction))
