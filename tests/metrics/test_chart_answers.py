import pytest

from studio.metrics.chart_answers import read_number, relaxed_match, relaxed_score
from tests.evaluation.row_makers import row_of


def test_the_example_of_the_scorer_of_pix2struct():
    predictions = ["abc", "abc", "Abc", "100%", "100%", "100%", "100%", "Don't"]
    answers = ["abc", "Abc", "abc", "96%", "94%", "0.96", "0.94", "Won't"]
    right = [relaxed_match(*pair) for pair in zip(predictions, answers, strict=True)]
    assert sum(right) / len(right) == 0.625
    assert right == [True, True, True, True, False, True, False, False]


@pytest.mark.parametrize(
    ("prediction", "answer", "right"),
    [
        ("105", "100", True),
        ("95", "100", True),
        ("105.1", "100", False),
        ("-95", "-100", True),
        ("95", "-100", False),
        ("40%", "40", False),
        ("0.4", "40%", True),
        ("1,020", "1000", True),
        ("1000", "1,000,000", False),
        ("12,34", "1234", False),
        ("0.0", "0", True),
        ("0.01", "0", False),
        ("nan", "5", False),
        ("inf", "inf", True),
        ("Blue", "blue ", True),
        ("blue bar", "blue", False),
    ],
)
def test_relaxed_match(prediction, answer, right):
    assert relaxed_match(prediction, answer) is right


def test_read_number():
    assert read_number("12.5%") == 0.125
    assert read_number("-1,234.5") == -1234.5
    assert read_number("%") is None
    assert read_number("five") is None
    assert read_number("inf") is None


def test_a_row_is_scored_by_its_closest_answer():
    row = row_of("100", "two hundred")
    assert relaxed_score("104", row.accepted, row) == 1
    assert relaxed_score("Two Hundred", row.accepted, row) == 1
    assert relaxed_score("200", row.accepted, row) == 0
    assert relaxed_score("200", (), row_of()) is None
