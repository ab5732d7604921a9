import pytest

from studio.metrics.multiple_choice import choice_score, choices_of, chosen_letter
from tests.evaluation.row_makers import row_of

QUESTION = "Which colour has the sky?\nA. blue\nB. red\nC. dark green"
CHOICES = {"A": "blue", "B": "red", "C": "dark green"}


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("A", "A"),
        ("b", "B"),
        ("(C)", "C"),
        ("B.", "B"),
        ("B. red", "B"),
        ("The answer is B", "B"),
        ("The answer is: **C**", "C"),
        ("Answer: A because it is bright", "A"),
        ("A is right", "A"),
        ("A red one", "B"),
        ("A dog", None),
        ("I think it is dark green.", "C"),
        ("A or B", None),
        ("blue and red", None),
        ("D", None),
        ("", None),
        ("red " * 20, None),
    ],
)
def test_chosen_letter(answer, letter):
    assert chosen_letter(answer, CHOICES) == letter


def test_choices_are_read_from_the_question():
    assert choices_of(row_of("A", question=QUESTION)) == CHOICES
    assert choices_of(row_of(question="Which?\n(A) one\n(B) two")) == {"A": "one", "B": "two"}
    assert choices_of(row_of(question="See B. and C.\nB. one\nC. two")) == {}
    assert choices_of(row_of(question="A. Lincoln was born when?")) == {}


def test_letter_and_text_of_the_right_choice_count():
    row = row_of("B", "red", question=QUESTION)
    assert choice_score("b", row.accepted, row) == 1
    assert choice_score("It is red.", row.accepted, row) == 1
    assert choice_score("C", row.accepted, row) == 0
    assert choice_score("no idea", row.accepted, row) == 0
    by_text = row_of("Dark green.", question=QUESTION)
    assert choice_score("C", by_text.accepted, by_text) == 1


def test_it_does_not_apply_without_choices_or_a_right_one():
    assert choice_score("A", ("A",), row_of("A")) is None
    assert choice_score("A", ("purple",), row_of("purple", question=QUESTION)) is None
    assert choice_score("A", (), row_of(question=QUESTION)) is None
