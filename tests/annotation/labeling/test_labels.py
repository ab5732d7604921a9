"""Answers are appended once, and conflicts are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from studio.core.errors import ConflictError, InputError, NotFoundError
from tests.annotation.conftest import answer, make_rows


def test_an_answer_from_a_second_tab_is_a_conflict(store, card):
    store.save(answer(card, "ana", "left"))
    with pytest.raises(ConflictError, match="elsewhere"):
        store.save(answer(card, "ana", "right"))
    assert store.card(card.pair_id, "ana").current.winner_id == card.left.candidate_id


def test_an_answer_can_be_replaced_knowingly(store, card):
    store.save(answer(card, "ana", "left"))
    again = store.card(card.pair_id, "ana")
    store.save(answer(again, "ana", "right"))
    assert store.card(card.pair_id, "ana").current.winner_id == card.right.candidate_id
    assert store.browse()[0].labels == 1
    assert [entry.current for entry in store.history("ana")] == [True, False]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"winner_id": 10_000}, "winner_id"),
        ({"winner_id": None}, "winner_id"),
        ({"kind": "tie", "winner_id": 1}, "winner_id"),
        ({"kind": "undo", "winner_id": None}, "kind"),
        ({"kind": "great", "winner_id": None}, "kind"),
        ({"shown_left_id": 10_000}, "shown_left_id"),
        ({"key": ""}, "key"),
        ({"comment": "half\0said"}, "comment"),
        ({"annotator": ""}, "annotator"),
    ],
)
def test_answers_that_do_not_fit_are_refused(store, card, changes, field):
    with pytest.raises(InputError) as caught:
        store.save(replace(answer(card, "ana"), **changes))
    assert caught.value.field == field
    assert store.progress().labelled == 0


def test_a_pair_that_is_not_there(store, card):
    with pytest.raises(NotFoundError, match="pair 999"):
        store.save(answer(replace(card, pair_id=999), "ana"))


def guideline_of(store) -> int | None:
    return store.answers("charts")[0]["guideline"]


def test_a_guideline_is_no_newer_than_the_newest(store):
    store.add_rows("charts", make_rows(3))
    for told, wanted in ((9, None), (2**31, None), (-3, None)):
        card = store.card(1, "ana")
        store.save(answer(card, "ana", guideline=told))
        assert guideline_of(store) == wanted
    store.team.write_guidelines("lea", "charts", "# One", seen=0)
    store.team.write_guidelines("lea", "charts", "# Two", seen=1)
    for told, wanted in ((2**31, 2), (1, 1), (2, 2)):
        store.save(answer(store.card(1, "ana"), "ana", guideline=told))
        assert guideline_of(store) == wanted
