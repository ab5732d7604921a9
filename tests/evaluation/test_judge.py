from __future__ import annotations

import pytest

from studio.data.schema import Message, Part
from studio.evaluation.evaluated_models import EvaluatedModel
from studio.evaluation.judge import (
    JudgeVerdict,
    combine,
    judge_name,
    judge_rows,
    question_version,
    read_verdict,
)

PROMPT = (Message("user", (Part("image"), Part("text", "How many?"))),)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("Verdict: A", "A"),
        ("**Verdict:** B.", "B"),
        ("It is close.\nVerdict: tie", "tie"),
        ("verdict: A … no. Verdict: answer B", "B"),
        ("<think>Verdict: A</think>\nB", "B"),
        ("<think>Verdict: A", ""),
        ("Answer A is better.", "A"),
        ("A good answer names the bars.", ""),
        ("bananas", ""),
        ("", ""),
    ],
)
def test_words_of_a_judge_are_read_or_not_understood(reply, said):
    assert read_verdict(reply) == said


@pytest.mark.parametrize(
    ("first", "swapped", "verdict"),
    [
        ("A", "B", JudgeVerdict(0)),
        ("B", "A", JudgeVerdict(1)),
        ("tie", "tie", JudgeVerdict(None)),
        ("A", "A", JudgeVerdict(None, changed_mind=True)),
        ("A", "tie", JudgeVerdict(None, changed_mind=True)),
        ("A", "hm", JudgeVerdict(None, readable=False)),
    ],
)
def test_only_what_it_says_in_both_orders_counts(first, swapped, verdict):
    assert combine(first, swapped) == verdict


def test_question_shows_both_orders_with_the_image_and_the_rules_of_people():
    one, two = judge_rows(7, ("a" * 64,), PROMPT, ("seven", "eight"), "Count the bars.")
    for row, order in ((one, ("seven", "eight")), (two, ("eight", "seven"))):
        assert row.images == ("a" * 64,)
        (message,) = row.prompt
        assert [part.type for part in message.parts] == ["text", "image", "text"]
        assert "Count the bars." in message.text and "How many?" in message.text
        assert message.text.index(order[0]) < message.text.index(order[1])
    assert one.external_id != two.external_id
    assert question_version(0) != question_version(2)


def test_judge_is_named_after_its_model():
    assert judge_name(EvaluatedModel("x", "endpoint:http://h/v1#big")) == "judge:big"
    assert judge_name(EvaluatedModel("base", "embedded")) == "judge:embedded"
    assert judge_name(EvaluatedModel("r@5", "embedded", "/a", run="r", step=5)) == "judge:r@5"
