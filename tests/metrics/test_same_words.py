"""Which answers say the same."""

import pytest

from studio.metrics.same_words import alike


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
