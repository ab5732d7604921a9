import random

import pytest

from studio.metrics.document_answers import anls_score, edit_distance, similarity
from tests.evaluation.row_makers import row_of


def test_the_example_of_the_scorer_of_pix2struct():
    predictions = ["abc", "abc", "Abc", "100%", "100%", "100%", "100%", "Don't"]
    answers = ["abc", "Abc", "abc", "96%", "94%", "0.96", "0.94", "Won't"]
    row = row_of()
    scores = [anls_score(one, (two,), row) for one, two in zip(predictions, answers, strict=True)]
    assert scores == pytest.approx([1, 1, 1, 0, 0, 0, 0, 0.8])
    assert 100 * sum(scores) / len(scores) == pytest.approx(47.5)


@pytest.mark.parametrize(
    ("one", "two", "distance"),
    [("kitten", "sitting", 3), ("sunday", "saturday", 3), ("", "abc", 3), ("flaw", "lawn", 2)],
)
def test_edit_distance(one, two, distance):
    assert edit_distance(one, two) == edit_distance(two, one) == distance


def test_distances_are_those_of_the_table():
    def by_table(one, two):
        row = list(range(len(two) + 1))
        for place, letter in enumerate(one, 1):
            above, row = row, [place]
            for column, other in enumerate(two, 1):
                replaced = above[column - 1] + (letter != other)
                row.append(min(above[column] + 1, row[-1] + 1, replaced))
        return row[-1]

    rng = random.Random(4)
    for _ in range(500):
        one, two = ("".join(rng.choices("abcé", k=rng.randint(0, 12))) for _ in range(2))
        assert edit_distance(one, two) == by_table(one, two)


def test_the_closest_answer_counts_from_more_than_one_half():
    row = row_of("ab", "abcd")
    assert anls_score("ABC", row.accepted, row) == 0.75
    assert anls_score("xb", ("ab",), row) == 0
    assert anls_score("  New   York ", ("new york",), row) == 1
    assert anls_score("", ("",), row) == 1
    assert anls_score("x", (), row_of()) is None


def test_long_answers():
    assert similarity("a" * 30, "a" * 10) == pytest.approx(1 / 3)
    assert edit_distance("ab" * 3000, "ba" * 3000) == 2
    assert anls_score("the answer is forty two", ("forty two",), row_of()) == 0


def test_it_equals_the_package_of_that_name():
    anls = pytest.importorskip("anls")
    rng = random.Random(0)
    texts = ["".join(rng.choices("ab cD", k=rng.randint(0, 8))) for _ in range(400)]
    pairs = list(zip(texts, texts[1:], texts[2:], strict=False))
    ours = [anls_score(text, answers, row_of()) for text, *answers in pairs]
    theirs = [anls.anls_score(text, answers) for text, *answers in pairs]
    assert ours == pytest.approx(theirs)
    assert len(set(theirs)) > 5
