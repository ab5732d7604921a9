"""One row of data, whatever file it came from."""

from __future__ import annotations

import pytest

from studio.data.schema import Answer, FieldUse, Message, Part, Row, joined_fields, plain_row

TURNS = (
    Message("user", (Part("image"), Part("text", "One?"))),
    Message("assistant", (Part("text", "First."),), scored=False),
    Message("user", (Part("text", "Two"), Part("text", "?"))),
)


def test_the_question_is_the_last_user_turn():
    assert Row("a", (), TURNS).question == "Two?"
    assert Row("a", (), TURNS[1:2]).question == ""


def test_half_a_preference_is_none():
    with pytest.raises(ValueError, match="row a has no preference"):
        _ = Row("a", (), TURNS, chosen=Answer("yes")).preference
    both = Row("a", (), TURNS, chosen=Answer("yes"), rejected=Answer("no"))
    assert both.preference == (Answer("yes"), Answer("no"))


def test_digests_of_rows_without_weights_stay_as_they_were():
    prompt = plain_row(Row("a", ("ab",), TURNS))["prompt"]
    assert [turn.get("scored") for turn in prompt] == [None, False, None]


def test_how_an_answer_was_made_changes_neither_what_it_is_nor_old_digests():
    how = {"model": "tiny", "seed": 1}
    written = Answer("yes", "tiny", 2, how)
    assert written == Answer("yes", "tiny") and len({written, Answer("yes", "tiny")}) == 1
    row = Row("a", (), TURNS, completion=Answer("no"), candidates=(written,))
    values = plain_row(row)
    assert values["completion"] == {"text": "no", "author": ""}
    assert values["candidates"] == (
        {"text": "yes", "author": "tiny", "tokens": 2, "decoding": how},
    )


def test_fields_of_several_splits_are_added_up():
    one = [FieldUse("question", 3, "question"), FieldUse("notes", 3, kept=2, why="too long")]
    two = [FieldUse("question", 2, "question"), FieldUse("notes", 2, why="nested")]
    joined = joined_fields([one, two])
    assert joined == [
        FieldUse("question", 5, "question"), FieldUse("notes", 5, kept=2, why="too long")
    ]  # fmt: skip
    assert joined[1].lost == 3
