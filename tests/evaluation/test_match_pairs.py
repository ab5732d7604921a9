"""Answers become pairs to judge, ties, or are left out for a reason that is counted."""

from collections import Counter

from studio.evaluation.evaluation import RowAnswer
from studio.evaluation.match_pairs import BOTH_EMPTY, SEEN, UNANSWERED, pair_up
from tests.evaluation.answered_evaluations import question


def made(answers, rows=None, trained=None, seed="s", about=""):
    count = len(next(iter(answers.values())))
    rows = rows or [question(number) for number in range(count)]
    said = {
        (name, number): text if isinstance(text, RowAnswer) else RowAnswer(text)
        for name, texts in answers.items()
        for number, text in enumerate(texts)
        if text is not None
    }
    return pair_up(rows, said, list(answers), trained=trained or {}, seed=seed, about=about)


def test_what_says_the_same_is_a_tie_and_everything_else_is_judged_or_counted():
    found = made(
        {
            "base": ["red", "red", "", "", None, "red"],
            "tuned": ["blue", "Red.", "red", " ", "red", RowAnswer(reason="too long")],
        }
    )
    assert [pair.row for pair in found.pairs] == ["row-0", "row-2"]
    assert [pair.row for pair in found.alike] == ["row-1"]
    assert found.left_out == {BOTH_EMPTY: 1, UNANSWERED: 2}
    texts = [{answer.text for answer in row.candidates} for row in found.rows]
    assert texts == [{"red", "blue"}, {"", "red"}]


def test_rows_that_a_contestant_was_trained_on_are_left_out():
    rows = [question(0, ["seen"]), question(1, ["new"])]
    found = made({"base": ["a", "b"], "tuned": ["c", "d"]}, rows, {"tuned": frozenset({"seen"})})
    assert [pair.row for pair in found.pairs] == ["row-1"] and found.left_out == {SEEN: 1}


def test_nothing_in_a_row_tells_who_wrote_what():
    count = 200
    found = made({"base": ["a"] * count, "tuned": ["b"] * count, "old": ["c"] * count})
    assert len(found.rows) == 3 * count
    first = Counter(row.candidates[0].author for row in found.rows)
    assert min(first.values()) > count / 2  # neither is always written first
    ends = Counter((row.external_id.partition("#")[2], frozenset(a.author for a in row.candidates))
                   for row in found.rows)  # fmt: skip
    assert len(ends) == 9 and min(ends.values()) > count / 5  # nor does an id stand for a pair
    for row in found.rows:
        assert row.meta == {} and row.completion is None
        assert not {"base", "tuned", "old"} & set(row.external_id.split("#"))


def test_making_it_again_gives_the_same_rows():
    answers = {"base": ["a"] * 9, "tuned": ["b"] * 9, "old": ["c"] * 9}
    assert made(answers) == made(answers) != made(answers, seed="other")


def test_rows_of_one_id_are_told_apart():
    rows = [question(0), question(0)]
    found = made({"base": ["a", "b"], "tuned": ["c", "d"]}, rows)
    assert len({row.external_id for row in found.rows}) == 2


def test_with_one_that_it_is_about_the_others_are_not_compared():
    answers = {"base": ["a"] * 9, "tuned": ["b"] * 9, "old": ["c"] * 9}
    pairs = {pair.contestants for pair in made(answers, about="tuned").pairs}
    assert pairs == {("base", "tuned"), ("tuned", "old")}
