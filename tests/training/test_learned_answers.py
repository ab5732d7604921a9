"""Which answers of the rows a run learns, in words."""

from types import SimpleNamespace

import pytest

from studio.config import run_file
from studio.training.learned_answers import answers_scored, said_of_rows


def rows(used=8, scored=8, merged=(), apart=0, unscored=0):
    train = SimpleNamespace(
        used=used, scored=scored, merged=list(merged), apart=apart, unscored=unscored
    )
    return SimpleNamespace(train=train)


def config(method="sft", **data):
    source = {"sft": "embedded:sft", "dpo": "embedded:preferences"}[method]
    return run_file.parse({"method": method, "data": {"source": source} | data})


def test_scored_answers_are_counted_by_method():
    assert answers_scored(config(), rows(1, 1200)) == "scores 1,200 assistant turns in 1 row"
    assert answers_scored(config("dpo"), rows(2)) == "compares the last answers of 2 rows"


@pytest.mark.parametrize(
    ("data", "settings", "words"),
    [
        (rows(merged=range(7)), {}, "7 of 8 rows its text is put in front"),
        (rows(merged=range(7)), {}, "(0, 1, 2, 3, 4 and 2 more)"),
        (rows(apart=3), {}, "3 answers of conversations are trained in rows of their own"),
        (rows(unscored=1), {"turns": "last"}, "1 earlier assistant turn of these rows is read"),
        (rows(unscored=2), {}, "are read, not scored (weight: 0)"),
    ],
)
def test_what_nobody_would_expect_of_rows_is_said(data, settings, words):
    (said,) = said_of_rows(config(**settings), data)
    assert words in said


def test_nothing_is_said_of_rows_that_are_taken_as_they_are():
    assert said_of_rows(config(), rows()) == []
    assert said_of_rows(config("dpo"), rows(unscored=3)) == [], "DPO compares the last answers only"
