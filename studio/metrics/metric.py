"""What a metric is, and what it gives for rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from studio.core.errors import InputError
from studio.data.schema import Row

Combine = Callable[[np.ndarray], np.ndarray]
"""Turns sums (…, counts) into a figure (…)."""

Need = Literal[
    "nothing", "answers", "people's answers", "choices", "yes or no", "JSON", "pairs", "references"
]
Aggregate = Literal["share", "mean", "precision", "recall", "f1", "corpus"]

LACKING: dict[Need, str] = {
    "nothing": "",
    "answers": "no accepted answer",
    "people's answers": "no answers of several people",
    "choices": "no lettered choices with a right one",
    "yes or no": "no accepted answer that is yes or no",
    "JSON": "no accepted answer in JSON",
    "pairs": "no chosen and rejected answer",
    "references": "no reference answer",
}
"""What a row to which a metric does not apply lacks, in words."""


@dataclass(frozen=True)
class Metric:
    """A metric, declared once for the command, the page and the cards.

    Attributes:
        help: One sentence: what it measures.
        needs: What a row must hold; `pairs` and `references` are scored from log-probabilities.
        score: (prediction, accepted answers, row) -> the row's score, None where the metric does
            not apply; for log-probabilities, of one `PairLogProbabilities` or
            `AnswerLogProbability`.
        aggregate: What the rows' figures become: a share of rows (scores 0 and 1), their mean, or
            what `combine` makes of the sum of the rows' `counts`.
        higher_is_better: None where neither is.
        percent: Whether 1 is shown as 100 %.
    """

    name: str
    label: str
    help: str
    needs: Need
    score: Callable[..., float | None]
    aggregate: Aggregate = "mean"
    higher_is_better: bool | None = True
    percent: bool = True
    counts: Callable[..., tuple[float, ...] | None] | None = None
    combine_counts: Combine | None = None

    @property
    def from_log_probabilities(self) -> bool:
        """Whether it is scored from log-probabilities, not from an answer."""
        return self.needs in ("pairs", "references")

    @property
    def of_answers(self) -> bool:
        """Whether it is scored from a generated answer."""
        return not self.from_log_probabilities

    @property
    def combine(self) -> Combine:
        """What turns summed counts into the figure; the mean where nothing else is declared."""
        return self.combine_counts or mean_of_sums


@dataclass(frozen=True)
class RowScores:
    """What one metric gives for rows, in their order.

    Attributes:
        metric: Its declaration.
        scores: None for a row to which it does not apply.
        counts: Rows × counts that `metric.combine` sums; NaN for a row to which it does not apply.
    """

    metric: Metric
    scores: tuple[float | None, ...]
    counts: np.ndarray

    @property
    def applies(self) -> np.ndarray:
        """Whether the metric applies to each row."""
        return np.array([score is not None for score in self.scores], dtype=bool)

    @property
    def left_out(self) -> int:
        """Rows to which the metric does not apply."""
        return len(self.scores) - int(self.applies.sum())

    @property
    def why_left_out(self) -> str:
        """How many rows are left out, and why; empty where none is."""
        if not self.left_out:
            return ""
        lacking = LACKING[self.metric.needs] or "no score"
        have = "has" if self.left_out == 1 else "have"
        return f"{self.left_out} of {len(self.scores)} rows {have} {lacking}."


def mean_of_sums(sums: np.ndarray) -> np.ndarray:
    """Compute a mean from sums of (score, 1)."""
    return sums[..., 0] / np.maximum(sums[..., 1], 1)


def score_rows(
    metric: Metric,
    predictions: Sequence[str],
    rows: Sequence[Row],
    accepted: Sequence[Sequence[str]] | None = None,
) -> RowScores:
    """Score an answer to each row.

    Args:
        accepted: The accepted answers of each row; those of the rows by default.

    Raises:
        InputError: There are not as many answers as rows, or the metric needs log-probabilities.
    """
    if metric.from_log_probabilities:
        raise InputError(
            f"{metric.label} needs log-probabilities, not answers.",
            remedy="Score it with score_log_probabilities.",
        )
    if len(predictions) != len(rows) or (accepted is not None and len(accepted) != len(rows)):
        raise InputError(
            f"Cannot score {len(predictions)} answers to {len(rows)} rows.",
            remedy="Give one answer for each row.",
        )
    given = accepted if accepted is not None else [row.accepted for row in rows]
    return _row_scores(metric, list(zip(predictions, given, rows, strict=True)))


def score_log_probabilities(metric: Metric, values: Sequence[Any]) -> RowScores:
    """Score the log-probabilities of each row; None for a row without them."""
    return _row_scores(metric, [None if value is None else (value,) for value in values])


def _row_scores(metric: Metric, inputs: Sequence[tuple | None]) -> RowScores:
    scores, counts = [], []
    for given in inputs:
        score = None if given is None else metric.score(*given)
        if score is None or given is None:
            row_counts = None
        else:
            row_counts = metric.counts(*given) if metric.counts else (float(score), 1.0)
        scores.append(score)
        counts.append(row_counts)
    width = next((len(one) for one in counts if one is not None), 2)
    nothing = (np.nan,) * width
    table = np.array([one if one is not None else nothing for one in counts], dtype=float)
    return RowScores(metric, tuple(scores), table.reshape(len(inputs), width))
