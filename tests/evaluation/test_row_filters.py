"""Which rows of an evaluation are shown."""

import pytest

from studio.core.errors import InputError
from studio.evaluation.evaluation import RowAnswer, RowRecord
from studio.evaluation.row_filters import filter_rows
from studio.metrics import METRICS

EXACT, EVASIVE = METRICS["exact_match"], METRICS["evasive_rate"]


def record(row, before, after, scores, metric="exact_match"):
    answers = {"base": before, "tuned": after}
    return RowRecord(
        row=row, images=(), question="How many?", accepted=("3",),
        answers={name: one if isinstance(one, RowAnswer) else RowAnswer(one)
                 for name, one in answers.items()},
        scores={name: {metric: score} for name, score in zip(answers, scores, strict=True)},
    )  # fmt: skip


ROWS = [
    record("kept", "3", "3.", (1.0, 1.0)),
    record("fixed", "4", "3", (0.0, 1.0)),
    record("broken", "3", "", (1.0, 0.0)),
    record("wrong", "5", "6", (0.0, 0.0)),
    record("failed", "5", RowAnswer(reason="too long"), (0.0, None)),
]


@pytest.mark.parametrize(
    ("which", "rows"),
    [
        ("all", ["kept", "fixed", "broken", "wrong", "failed"]),
        ("fixed", ["fixed"]),
        ("broken", ["broken"]),
        ("both wrong", ["wrong"]),
        ("different", ["fixed", "broken", "wrong", "failed"]),
        ("empty", ["broken"]),
        ("failed", ["failed"]),
    ],
)
def test_rows_are_those_asked_for(which, rows):
    assert [one.row for one in filter_rows(ROWS, which, EXACT, "tuned", "base")] == rows


def test_where_less_is_better_less_is_right():
    rows = [record("fixed", "I cannot say", "3", (1.0, 0.0), "evasive_rate")]
    assert filter_rows(rows, "fixed", EVASIVE, "tuned", "base") == rows
    assert filter_rows(rows, "broken", EVASIVE, "tuned", "base") == []


def test_every_word_that_is_looked_for_must_occur():
    assert [one.row for one in filter_rows(ROWS, "all", EXACT, "tuned", "base", "MANY 6")] == [
        "wrong"
    ]


def test_what_needs_two_models_or_a_metric_says_so():
    with pytest.raises(InputError, match="told from two models"):
        filter_rows(ROWS, "fixed", EXACT, "tuned", "")
    with pytest.raises(InputError, match="No metric says"):
        filter_rows(ROWS, "broken", None, "tuned", "base")
