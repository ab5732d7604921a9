"""Edits and ideal answers: new candidates, new pairs, gone again with an undo."""

from __future__ import annotations

import pytest

from studio.annotation import ExportPolicy, Span
from studio.core.errors import InputError
from tests.annotation.conftest import answer, make_rows


@pytest.fixture
def card(store):
    store.add_rows("charts", make_rows(2))
    return store.claim("ana")


def texts(store) -> set[tuple[str, str]]:
    return {(row.chosen.text, row.rejected.text) for row in store.preferences("charts")}


def test_an_edit_beats_the_original(store, card):
    store.save(answer(card, "ana", edit="The red bar, 7."))
    assert texts(store) == {
        (card.left.text, card.right.text),
        ("The red bar, 7.", card.left.text),
    }
    assert store.card(card.pair_id, "ana").current.edit == "The red bar, 7."
    authors = {c.author for c in store.item(1).candidates if c.reference}
    assert authors == {"person:ana"}


def test_an_ideal_answer_beats_both_bad_ones(store, card):
    store.save(answer(card, "ana", kind="both_bad", ideal="Bar 0 is green."))
    assert texts(store) == {
        ("Bar 0 is green.", card.left.text),
        ("Bar 0 is green.", card.right.text),
    }


def test_undo_takes_what_was_written_out_of_the_training(store, card):
    store.save(answer(card, "ana", edit="Better."))
    store.undo("ana")
    assert texts(store) == set()
    store.save(answer(store.card(card.pair_id, "ana"), "ana", edit="Better."))
    assert len(texts(store)) == 2


def test_written_answers_are_never_handed_out_nor_counted(store, card):
    store.save(answer(card, "ana", edit="Better."))
    assert store.progress("ana").total == 2
    assert [c.pair_id for c in store.claim_several("ben", count=5)] == [2]


def test_an_unchanged_or_blank_text_adds_nothing(store, card):
    store.save(answer(card, "ana", edit=card.left.text, ideal="  "))
    assert len(store.item(1).candidates) == 2
    assert len(texts(store)) == 1


def test_they_can_be_left_out(store, card):
    store.save(answer(card, "ana", edit="Better."))
    rows = store.preferences("charts", ExportPolicy(include_written=False))
    assert len(rows) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "tie", "edit": "Better."}, "edit"),
        ({"edit": "a\0b"}, "edit"),
        ({"ideal": "x" * 20_001}, "ideal"),
        ({"strength": "hugely"}, "strength"),
        ({"kind": "tie", "strength": "clearly"}, "strength"),
        ({"spans": (Span(999, 0, 1),)}, "spans"),
        ({"spans": (Span(1, 3, 3),)}, "spans"),
        ({"aspects": {"Style": 0}}, "aspects"),
    ],
)
def test_details_that_do_not_fit_are_refused(store, card, changes, field):
    with pytest.raises(InputError) as caught:
        store.save(answer(card, "ana", **changes))
    assert caught.value.field == field
    assert store.progress("ana").labelled == 0
