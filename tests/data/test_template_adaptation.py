"""Rows fitted to chat templates that write earlier answers differently."""

from __future__ import annotations

import pytest

from studio.data.schema import Answer, Message, Part, Row
from studio.data.template_adaptation import Fit, answers_apart, whole_id


def turn(role: str, text: str, scored: bool = True, image: bool = False) -> Message:
    return Message(role, ((Part("image"),) if image else ()) + (Part("text", text),), scored)


def talk(first: str = "First.", scored: bool = True) -> Row:
    prompt = (turn("user", "One?", image=True), turn("assistant", first, scored),
              turn("user", "Two?", image=True))  # fmt: skip
    return Row("talk", ("aa", "bb"), prompt, Answer("Second."))


@pytest.mark.parametrize(
    ("apart", "row", "parts"),
    [
        ("never", talk("<think>so</think>First."), False),
        ("thought", talk("<think>so</think>First."), True),
        ("thought", talk(), False),
        ("always", talk(), True),
        ("always", talk(scored=False), False),
        ("always", Row("one", (), (turn("user", "One?"),), Answer("x")), False),
    ],
)
def test_answers_are_trained_apart_where_the_template_rewrites_them(apart, row, parts):
    fit = Fit(apart=apart)
    assert fit.parts(row) is parts
    assert Fit.from_json(fit.to_json()) == fit


def test_each_part_is_the_conversation_up_to_its_answer_with_its_images():
    first, second = answers_apart(talk())
    assert (first.completion.text, second.completion.text) == ("First.", "Second.")
    assert (first.images, second.images) == (("aa",), ("aa", "bb"))
    assert [message.scored for message in second.prompt] == [True, False, True]
    assert first.external_id != second.external_id
    assert {whole_id(first.external_id), whole_id(second.external_id)} == {"talk"}


def test_an_earlier_answer_that_is_blank_or_weighs_nothing_is_no_part():
    for row in (talk(" "), talk(scored=False)):
        (only,) = answers_apart(row)
        assert only.completion.text == "Second."
