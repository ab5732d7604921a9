"""What every check compares and counts by."""

import pytest

from studio.data.schema import Answer, Row
from studio.preflight.checks.base import answers_of, percent, plain


@pytest.mark.parametrize(
    ("share", "text"), [(0.5, "50 %"), (0.012, "1 %"), (0.004, "0.4 %"), (1.0, "100 %")]
)
def test_what_is_there_is_never_none_of_it(share, text):
    assert percent(share) == text


def test_texts_are_compared_without_case_spacing_and_forms():
    assert plain("  Straße\n 5 ") == plain("STRASSE 5") == "strasse 5"
    assert plain("ﬁve") == "five" and plain("five") != plain("six")


def test_answers_are_named_and_those_that_lack_left_out():
    row = Row("1", (), (), chosen=Answer("a"), candidates=(Answer("b"), Answer("c")))
    assert {name: answer.text for name, answer in answers_of(row).items()} == {
        "chosen": "a",
        "candidate 1": "b",
        "candidate 2": "c",
    }
