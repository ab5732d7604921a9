import pytest

from studio.core.errors import InputError
from studio.metrics.evasiveness import evasive_rate, evasive_score, is_evasive
from tests.evaluation.row_makers import row_of


@pytest.mark.parametrize(
    "text",
    [
        "The image does not provide any information about the shortest bar.",
        "The image doesn't contain enough information to answer.",
        "I cannot determine the value from the chart.",
        "I can’t tell which one is larger.",
        "I'm sorry, but I am unable to assist with that.",
        "There is not enough information.",
        "The year is not specified in the image.",
        "图片中没有提供相关信息。",
    ],
)
def test_evasive(text):
    assert is_evasive(text)


@pytest.mark.parametrize(
    "text",
    ["", "blue", "no", "A bar chart with 3 bars, red is the tallest.", "It shows information."],
)
def test_not_evasive(text):
    assert not is_evasive(text)


def test_evasive_rate():
    assert evasive_rate(["blue", "I cannot tell."]) == 0.5
    with pytest.raises(InputError):
        evasive_rate([])


def test_a_row_needs_no_accepted_answer():
    assert evasive_score("I cannot tell.", (), row_of()) == 1
    assert evasive_score("blue", (), row_of()) == 0
