"""Answers that are the same, empty, or missing."""

from __future__ import annotations

from studio.preflight.checks.answers import EmptyAnswers
from tests.preflight.conftest import look, row


def test_the_same_answer_twice_is_found_whatever_surrounds_it():
    found = look(
        EmptyAnswers(),
        row(chosen="Three.", rejected="Three. "),
        row(chosen="Three", rejected="Four"),
        row(chosen="three", rejected="Three"),
    )
    assert found["identical_answers"].rows == [1]
    assert found["identical_answers"].severity == "error"


def test_empty_answers_and_questions_and_half_pairs_are_named():
    found = look(
        EmptyAnswers(),
        row(completion="  "),
        row(question=" ", completion="x"),
        row(chosen="only one"),
        row(completion="good"),
    )
    assert found["empty_answers"].rows == [1]
    assert found["empty_questions"].rows == [2]
    assert found["incomplete_pairs"].rows == [3]
    assert "unanswered" not in found


def test_two_empty_answers_are_empty_not_identical():
    found = look(EmptyAnswers(), row(chosen="", rejected=""))
    assert set(found) == {"empty_answers"}


def test_rows_before_any_answer_are_no_fault_but_single_ones_are():
    assert look(EmptyAnswers(), row(), row())["unanswered"].severity == "info"
    found = look(EmptyAnswers(), row(), row(completion="x"))
    assert (found["unanswered"].severity, found["unanswered"].rows) == ("warning", [1])
