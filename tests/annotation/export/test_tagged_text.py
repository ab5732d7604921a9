"""Conversations as text with tags, and where pictures stand."""

from __future__ import annotations

import pytest

from studio.annotation.export.tagged_text import has_tag, is_in_front, tagged
from studio.data.conversation import read_conversation
from studio.data.image_tags import place_images
from studio.data.schema import Answer, Row
from tests.annotation.export.judged_rows import talk


@pytest.mark.parametrize("text", ["*What?", "**Which of both?", "First * then * here.", "What?"])
def test_a_reader_finds_the_pictures_where_they_stood(text):
    prompt = talk(("user", text))
    plain = [{"role": "user", "content": tagged(prompt[0])}]
    pictures = [f"{number}.png" for number in range(text.count("*"))]
    read = place_images(read_conversation(plain, "messages").messages, pictures)
    assert read == (prompt, tuple(pictures))


@pytest.mark.parametrize(
    ("turns", "front"),
    [
        ([("user", "**Both?")], True),
        ([("system", "Short."), ("user", "*What?")], True),
        ([("user", "What is *?")], False),
        ([("user", "*What?"), ("assistant", "A."), ("user", "*And?")], False),
        ([("user", "What?")], True),
    ],
)
def test_in_front_is_where_readers_put_pictures(turns, front):
    assert is_in_front(talk(*turns)) is front


def test_a_text_that_spells_the_tag_is_found_in_prompt_and_answers():
    asked, plain = talk(("user", "What is <image>?")), talk(("user", "What?"))
    assert has_tag(Row("a", (), asked))
    assert has_tag(Row("a", (), plain, chosen=Answer("a"), rejected=Answer("an <image>")))
    assert not has_tag(Row("a", (), plain, completion=Answer("a picture")))
