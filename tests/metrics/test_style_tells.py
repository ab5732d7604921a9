"""What gives a writer away, and which answers say the same."""

import pytest

from studio.metrics.style_tells import alike, style_tells


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Blue.", "blue"),
        ("**Blue**", "Blue"),
        ("- one\n- two", "one two"),
        ("It is 3.5 %.", "it is 3.5 %"),
        ("答案：蓝色。", "答案：蓝色"),
        ("", "  "),
    ],
)
def test_case_spaces_and_marks_make_no_difference(first, second):
    assert alike(first, second) and alike(second, first)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("It is blue", "It is not blue"),
        ("-5", "5"),
        ("3.5", "35"),
        ("Sales were 41 % in May", "Sales were 47 % in May"),
        (".5", "5"),
        ("Blue", ""),
    ],
)
def test_one_word_sign_or_digit_can_be_the_whole_difference(first, second):
    assert not alike(first, second) and not alike(second, first)


def test_length_marks_and_openings_are_told_once_for_whom_they_are():
    short = ["Blue it is now"] * 6
    long = ["**As an AI model, I would say that it is blue**, since the chart shows it"] * 6
    told = style_tells({"base": short, "tuned": long})
    assert len(told) == 4
    assert "tuned writes 5.2 times as much as base" in told
    assert any("tuned uses Markdown in 100%" in one for one in told)
    assert any("tuned begins 100% of its answers with “**as an ai”" in one for one in told)


def test_writers_alike_and_too_few_answers_tell_nothing():
    assert style_tells({"a": ["It is blue"] * 9, "b": ["It is red"] * 9}) == []
    assert style_tells({"a": ["x"], "b": ["much longer than that"]}) == []
