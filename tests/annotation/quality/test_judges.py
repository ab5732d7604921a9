"""What a judge says is kept once, apart from labels, on every database."""

from __future__ import annotations

import pytest

from studio.annotation.quality.judges import Judged
from studio.core.errors import InputError
from studio.data.schema import Answer, Message, Part, Row

JUDGE = "judge:m"


def judged(pair, winner, prompt="1"):
    kind = "choose" if winner else "tie"
    return Judged(pair, kind, winner, False, ("A", "B"), "m", prompt)


def test_the_newest_judgement_stands_and_pairs_that_are_gone_are_left_out(store):
    asked = (Message("user", (Part("text", "q"),)),)
    store.add_rows("set", [Row("1", (), asked, candidates=(Answer("a", "x"), Answer("b", "y")))])
    (pair,) = store.judges.waiting("set", JUDGE, "1")
    (card,) = store.judges.cards([pair, 999], JUDGE)
    left, right = card.left.candidate_id, card.right.candidate_id
    store.judges.keep(JUDGE, [judged(pair, left), judged(999, None)])
    store.judges.keep(JUDGE, [judged(pair, right)])
    assert store.judges.waiting("set", JUDGE, "1") == []
    assert store.judges.waiting("set", JUDGE, "2") == [pair]  # another question
    assert store.judges.waiting("set", "judge:other", "1") == [pair]
    figures = store.judges.figures("set", JUDGE)
    assert figures.pairs == 1 and list(figures.wins.values()) == [1]
    assert store.judges.names("set") == [JUDGE]
    (dataset,) = store.datasets()
    assert (dataset.labelled, dataset.waiting) == (0, 1)
    assert store.judges.count("lead", "set", JUDGE) == 1
    assert store.datasets()[0].labelled == 1
    assert store.judges.uncount("lead", "set", JUDGE) == 1
    assert store.datasets()[0].waiting == 1
    assert [line.action for line in store.team.log() if "judge" in line.action] == [
        "uncount judge", "count judge",
    ]  # fmt: skip


def test_a_person_is_no_judge(store):
    with pytest.raises(InputError, match="no name of a judge"):
        store.judges.keep("ana", [])
