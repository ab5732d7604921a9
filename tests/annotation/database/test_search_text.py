"""What search compares: prompts kept whole, and texts folded alike whoever wrote them."""

from __future__ import annotations

import pytest

from studio.annotation.database import search_text as module
from studio.annotation.database.search_text import (
    fold,
    longest,
    prompt_from_json,
    prompt_to_json,
    search_text,
)
from studio.data.schema import Message, Part


def test_a_prompt_comes_back_with_its_images_and_weights():
    prompt = (
        Message("user", (Part("image"), Part("text", "Which?"))),
        Message("assistant", (Part("text", "This."),), scored=False),
    )
    stored = prompt_to_json(prompt)
    assert prompt_from_json(stored) == prompt
    assert "scored" not in stored[0], "as prompts were stored before there were weights"


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("PLAIN", "PLAIN"),
        ("Überraschung", "uberraschung"),
        ("STRASSE ß", "strasse ss"),
        ("ﬁ", "fi"),
        ("Ё", "е"),
        ("हिन्दी", "हिन्दी"),
    ],
)
def test_texts_are_folded_and_marks_that_are_letters_stay(text, folded):
    assert fold(text) == folded


def test_search_looks_at_the_id_the_turns_and_the_answers_up_to_a_bound(monkeypatch):
    prompt = prompt_to_json([Message("user", (Part("image"), Part("text", "Café?")))])
    assert search_text("row-1", prompt, ["Yes.", "No."]) == "row-1\ncafe?\nyes.\nno."
    monkeypatch.setattr(module, "MAX_SEARCH", 3)
    assert search_text("row-1", prompt, []) == "row"


def test_the_longest_answer_of_none_has_no_characters():
    assert (longest(["a", "bcd"]), longest([])) == (3, 0)
