import pytest

from studio.metrics.vqa_accuracy import people_answers, vqa_normalise, vqa_score
from tests.evaluation.row_makers import row_of


@pytest.mark.parametrize(
    ("equal", "accuracy"), [(0, 0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1), (10, 1)]
)
def test_ten_people_of_whom_some_gave_the_answer(equal, accuracy):
    answers = ["red"] * equal + [f"other {number}" for number in range(10 - equal)]
    assert vqa_score("Red", answers, row_of()) == pytest.approx(accuracy)


def test_leaving_one_person_out_is_what_is_averaged():
    answers = ["a cat", "cat", "the dog", "dog", "dog"]
    rest = [[*answers[:place], *answers[place + 1 :]] for place in range(5)]
    expected = sum(
        min(sum(vqa_normalise(answer) == "cat" for answer in others) / 3, 1) for others in rest
    )
    assert vqa_score("Cat!", answers, row_of()) == pytest.approx(expected / 5)


def test_repeats_are_found_in_the_row():
    row = row_of("red", "red", "dark red")
    assert row.accepted == ("red", "dark red")
    assert people_answers(row.accepted, row) == ["red", "red", "dark red"]
    assert vqa_score("red", row.accepted, row) == pytest.approx((2 * 1 / 3 + 2 / 3) / 3)


def test_ways_to_write_one_answer_are_nobodys_votes():
    assert vqa_score("red", ["red", "red"], row_of()) is None
    assert vqa_score("NYC", ["NYC", "New York", "New York City"], row_of()) is None
    assert vqa_score("n 1", [f"n {number}" for number in range(10)], row_of()) is not None


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        # The rules and examples of visualqa.org/evaluation.html.
        ("The Cat", "cat"),
        ("two", "2"),
        ("none", "0"),
        ("dont", "don't"),
        ("couldn'tve", "couldn't've"),
        ("100,978", "100978"),
        ("2:50 pm", "2:50 pm"),
        ("3.5", "3.5"),
        ("e.g.", "eg"),
        ("girl's", "girl 's"),
        # What the processor of EvalAI makes of these.
        ("left/right", "left right"),
        ("left / right", "left right"),
        ("no-one -", "noone"),
        ("U.S. 'quoted' (red)", "us 'quoted' red"),
        ("is it?\nyes!", "is it yes"),
        ("5+3", "5 3"),
    ],
)
def test_normalise(text, normal):
    assert vqa_normalise(text) == normal
