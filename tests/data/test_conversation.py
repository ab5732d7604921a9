"""Conversations as strangers write them."""

from __future__ import annotations

from tests.data.conftest import parts


def test_preferences_with_the_prompt_inside(read):
    turns = [{"role": "user", "content": "Q"}]
    _, (row,) = read(
        {
            "image": "a.png",
            "chosen": [*turns, {"role": "assistant", "content": "x"}],
            "rejected": [*turns, {"role": "assistant", "content": "y"}],
        }
    )
    assert parts(row) == ["<>", "Q"] and row.chosen.text == "x"


def test_literal_tags_in_answers_stay_text(read):
    _, (row,) = read({"image": "a.png", "question": "Which tag?", "answer": "It is <image>."})
    assert parts(row) == ["<>", "Which tag?"]
    assert row.completion.text == "It is <image>."
