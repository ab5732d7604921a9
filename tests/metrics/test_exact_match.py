import pytest

from studio.core.errors import InputError
from studio.metrics.exact_match import exact_match, exact_match_score, normalise
from tests.evaluation.row_makers import row_of


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ("  Blue. ", "blue"),
        ("“Straße”", "strasse"),
        ("A  bar\nchart.", "a bar chart"),
        ("40%", "40%"),
        ("3.5", "3.5"),
        ("１２", "12"),
    ],
)
def test_normalise(raw, normal):
    assert normalise(raw) == normal


def test_exact_match_counts_any_accepted_reference():
    assert exact_match(["Blue.", "7", "no"], ["blue", ["seven", "7"], "yes"]) == pytest.approx(
        2 / 3
    )


@pytest.mark.parametrize(("predictions", "references"), [([], []), (["a"], ["a", "b"])])
def test_exact_match_refuses_what_cannot_be_compared(predictions, references):
    with pytest.raises(InputError, match="Cannot compare"):
        exact_match(predictions, references)


def test_a_row_is_scored_by_all_its_accepted_answers_and_not_without_one():
    row = row_of("blue", "navy")
    assert exact_match_score("Navy.", row.accepted, row) == 1
    assert exact_match_score("navy blue", row.accepted, row) == 0
    assert exact_match_score("navy", (), row_of()) is None
