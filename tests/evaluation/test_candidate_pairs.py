"""Of what models wrote to a row, the two that differ most are for a person to choose from."""

from dataclasses import replace

import pytest

from studio.core.errors import InputError
from studio.data.schema import Answer
from studio.evaluation.candidate_pairs import candidate_row, check_rule, near
from studio.evaluation.evaluation import DrawnAnswers, RowAnswer
from tests.evaluation.answered_evaluations import question


def made(**texts):
    drawn = {name: DrawnAnswers(tuple(map(RowAnswer, said))) for name, said in texts.items()}
    decoding = {name: [{"place": n} for n, _ in enumerate(said)] for name, said in texts.items()}
    return candidate_row(replace(question(1), completion=None), drawn, decoding)


def test_the_two_that_differ_most_are_paired_and_the_rest_stands_alone():
    found = made(base=["It is a red bar", "It is a red line", "Nothing", "it is a red bar."])
    assert {answer.text for answer in found.row.candidates} >= {"Nothing"}
    assert len(found.row.candidates) == 2 and len(found.row.alone) == 1
    assert (found.written, found.repeats, found.empty, found.paired) == (4, 1, 0, True)
    assert found.row.completion is None and found.row.external_id == "row-1"


def test_of_two_writers_one_answer_each_is_paired():
    found = made(base=["a b c d", "x y z"], tuned=["a b c e", "A b c d."])
    authors = [answer.author for answer in found.row.candidates]
    assert authors == ["base", "tuned"] and found.repeats == 1
    assert found.row.candidates[0].text == "x y z"
    assert found.row.candidates[1].decoding == {"place": 0}


def test_answers_all_alike_or_empty_make_no_pair():
    found = made(base=["blue", "Blue.", "**blue**"])
    assert not found.paired and len(found.row.candidates) == 1 and found.repeats == 2
    found = made(base=["", "  "])
    assert found.row is None and (found.written, found.empty) == (0, 2)
    failed = candidate_row(question(1), {"base": DrawnAnswers(reason="too long")}, {"base": [{}]})
    assert failed.row is None and failed.written == 0


def test_near_duplicates_are_those_where_only_small_words_differ():
    assert near(
        "In this chart of the sales by month the tallest bar is the blue one",
        "In this chart of sales by month the tallest bar is the blue one.",
    )
    assert not near(
        "The tallest bar of this chart is 43 units", "The tallest bar of this chart is 44 units"
    )
    assert not near(
        "The bar is not the tallest of the chart", "The bar is the tallest of the chart"
    )
    assert not near("the bar", "bar")  # short answers differ by much


def test_answers_that_the_row_has_are_not_written_again_and_one_that_is_new_meets_them():
    row = replace(
        question(1),
        completion=None,
        candidates=(Answer("Red.", "ana"), Answer("a blue bar", "ben")),
    )
    drawn = {"base": DrawnAnswers((RowAnswer("red"), RowAnswer("green")))}
    found = candidate_row(row, drawn, {"base": [{}, {}]})
    assert [answer.text for answer in found.row.candidates] == ["green", "a blue bar"]
    assert (found.repeats, found.row.alone) == (1, ())
    again = candidate_row(row, {"base": DrawnAnswers((RowAnswer("red"),))}, {"base": [{}]})
    assert again.row is None and again.repeats == 1


def test_by_margin_the_highest_meets_the_lowest_whoever_wrote_them():
    drawn = {"base": DrawnAnswers(tuple(map(RowAnswer, ("one", "two", "three"))))}
    margins = {"one": 0.5, "two": -2.0, "three": 1.5}
    found = candidate_row(question(1), drawn, {"base": [{}, {}, {}]}, margins=margins)
    assert [answer.text for answer in found.row.candidates] == ["three", "two"]
    with pytest.raises(InputError, match="no rule"):
        check_rule("best")


def test_an_answer_to_a_spoilt_image_is_the_worse_one_unless_the_row_has_a_preference():
    drawn = {name: DrawnAnswers((RowAnswer(name),)) for name in ("seen", "blurred")}
    decoding = {name: [{}] for name in drawn}
    bad = frozenset({"blurred"})
    row = replace(question(1), completion=None)
    found = candidate_row(row, drawn, decoding, known_bad=bad)
    assert (found.row.chosen.text, found.row.rejected.text) == ("seen", "blurred") and found.paired
    row = replace(row, chosen=Answer("x"), rejected=Answer("y"))
    assert candidate_row(row, drawn, decoding, known_bad=bad).row.chosen is None
