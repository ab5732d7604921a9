"""Rows that come again, with the same answer or another."""

from __future__ import annotations

from studio.preflight.checks.repeats import Repeats
from studio.preflight.image_fingerprints import Pictures
from tests.preflight.conftest import look, row


def test_repeated_rows_count_from_the_second_on(store):
    repeats = Repeats(Pictures(store))
    pair = {"chosen": "a", "rejected": "b"}
    found = look(
        repeats, row("Q?", **pair), row("Q?", **pair), row(" q? ", **pair), row("other", **pair)
    )
    assert found["duplicates"].rows == [2]
    assert found["near_duplicates"].rows == [3]
    assert repeats.count == 2


def test_opposite_preferences_contradict(store):
    found = look(
        Repeats(Pictures(store)),
        row("Q?", chosen="a", rejected="b"),
        row("Q?", chosen="B", rejected="A"),
        row("Q?", chosen="a", rejected="c"),
        row("Other?", chosen="b", rejected="a"),
    )
    assert found["contradictions"].rows == [1, 2]


def test_different_answers_to_the_same_question_are_told(store):
    found = look(
        Repeats(Pictures(store)), row("Q?", completion="1"), row("Q?", completion="2"), row("R?")
    )
    assert found["different_answers"].rows == [1, 2]
