"""Which rows of an evaluation to look at: those one model fixed, broke, or where both are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from studio.core.errors import InputError
from studio.evaluation.evaluation import RowRecord
from studio.metrics import Metric
from studio.metrics.same_words import alike

RowFilter = Literal["all", "fixed", "broken", "both wrong", "different", "empty", "failed"]
FILTERS: tuple[RowFilter, ...] = get_args(RowFilter)
COMPARING = ("fixed", "broken", "both wrong", "different")
"""Filters that need two models."""
RIGHT = 0.5
"""A score of at least this much counts as right, where scores are between 0 and 1."""


def filter_rows(
    records: Sequence[RowRecord],
    which: RowFilter,
    metric: Metric | None,
    subject: str,
    baseline: str,
    search: str = "",
) -> list[RowRecord]:
    """Return the rows to look at, in their order.

    Args:
        metric: By which rows are right or wrong; None where there is none of answers.
        subject: The model that is looked at; `baseline`: what it is compared with, empty for none.
        search: Words that must all occur in question, right answers or answers.

    Raises:
        InputError: There is nothing to compare with, or no metric.
    """
    if which in COMPARING and not baseline:
        raise InputError(
            f"Rows that are {which} are told from two models.",
            remedy="Evaluate again and compare with another one.",
        )
    if which in COMPARING[:3] and metric is None:
        raise InputError("No metric says which answers are right.", remedy="Choose another filter.")
    words = search.casefold().split()
    return [
        record
        for record in records
        if _is(record, which, metric, subject, baseline) and _has(record, words)
    ]


def _is(
    record: RowRecord, which: RowFilter, metric: Metric | None, subject: str, baseline: str
) -> bool:
    if which == "all":
        return True
    answers = [record.answers[name] for name in record.answers]
    if which == "empty":
        return any(not answer.reason and not answer.text.strip() for answer in answers)
    if which == "failed":
        return any(answer.reason for answer in answers)
    if which == "different":
        return not alike(record.answers[baseline].text, record.answers[subject].text)
    before, after = (_goodness(record, metric, name) for name in (baseline, subject))
    if before is None or after is None:
        return False
    if which == "fixed":
        return after > before
    return after < before if which == "broken" else max(before, after) < RIGHT


def _goodness(record: RowRecord, metric: Metric | None, name: str) -> float | None:
    """A row's score, more being better; None where it has none."""
    score = record.scores[name].get(metric.name) if metric else None
    if score is None or metric is None:
        return None
    return 1 - score if metric.higher_is_better is False else score


def _has(record: RowRecord, words: Sequence[str]) -> bool:
    if not words:
        return True
    said = (answer.text for answer in record.answers.values())
    text = "\n".join((record.row, record.question, *record.accepted, *said)).casefold()
    return all(word in text for word in words)
