"""Answers are appended once, conflicts are refused, undo restores what stood before."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from studio.core.errors import ConflictError, InputError, NotFoundError
from tests.annotation.conftest import answer, make_rows


@pytest.fixture
def card(store):
    store.add_rows("charts", make_rows(4))
    return store.claim("ana")


def test_the_same_key_again_gives_the_same_answer_and_one_label(store, card):
    event = answer(card, "ana")
    assert store.save(event) == store.save(event)
    assert store.progress("ana").labelled == 1
    assert len(store.history("ana")) == 1


def test_a_key_of_another_answer_is_refused(store, card):
    event = answer(card, "ana")
    store.save(event)
    with pytest.raises(ConflictError, match="key"):
        store.save(replace(event, winner_id=card.right.candidate_id))
    with pytest.raises(ConflictError, match="key"):
        store.save(replace(event, annotator="ben"))


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


def test_undo_gives_the_pair_back_any_number_of_times(store, card):
    seen = []
    for _ in range(3):
        current = store.claim("ana")
        store.save(answer(current, "ana"))
        seen.append(current.pair_id)
    undone = [store.undo("ana").pair_id for _ in range(3)]
    assert undone == seen[::-1]
    assert store.undo("ana") is None
    assert store.progress("ana").labelled == 0
    assert store.claim("ana").pair_id == seen[0]


def test_undo_of_a_replaced_answer_restores_the_first(store, card):
    store.save(answer(card, "ana", "left"))
    store.save(answer(store.card(card.pair_id, "ana"), "ana", "right"))
    assert store.undo("ana").current.winner_id == card.left.candidate_id
    assert store.undo("ana").current is None


def test_undo_with_the_same_key_is_done_once(store, card):
    for _ in range(2):
        store.save(answer(store.claim("ana"), "ana"))
    assert store.undo("ana", "undo-key-1") == store.undo("ana", "undo-key-1")
    assert store.progress("ana").labelled == 1


def test_undo_leaves_the_answers_of_others(store, card):
    store.save(answer(card, "ana"))
    store.save(answer(store.claim("ben"), "ben"))
    store.undo("ana")
    assert store.progress().labelled == 1


def test_events_cannot_be_changed_or_deleted(store, url, card):
    store.save(answer(card, "ana"))
    engine = create_engine(url)
    for statement in ("DELETE FROM labels", "UPDATE labels SET kind = 'tie'"):
        with pytest.raises(IntegrityError, match="append-only"), engine.begin() as connection:
            connection.execute(text(statement))
    engine.dispose()


def test_progress_counts_today_and_the_median(store, card, clock):
    for milliseconds in (1000, 9000, 4000):
        store.save(answer(store.claim("ana"), "ana", elapsed_ms=milliseconds))
    found = store.progress("ana", "charts")
    assert (found.labelled, found.total, found.waiting, found.today) == (3, 4, 1, 3)
    assert found.median_seconds == 4.0
    clock.now += 2 * 86_400
    assert store.progress("ana").today == 0
    assert store.progress("nobody").labelled == 0


def test_history_pages_backwards(store, card):
    for _ in range(4):
        store.save(answer(store.claim("ana"), "ana", "right"))
    newest = store.history("ana", limit=3)
    older = store.history("ana", before=newest[-1].label_id)
    ids = [entry.label_id for entry in newest + older]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 4
    assert newest[0].winner


def test_undo_of_one_pair_leaves_later_answers(store, card):
    store.save(answer(card, "ana"))
    later = store.claim("ana")
    store.save(answer(later, "ana"))
    assert store.undo("ana", pair_id=card.pair_id).current is None
    assert store.card(later.pair_id, "ana").current is not None
    assert store.undo("ana", pair_id=card.pair_id) is None


def test_an_undo_within_a_dataset_leaves_the_answers_in_others(store):
    for dataset in ("charts", "maps"):
        store.add_rows(dataset, make_rows(1))
        store.save(answer(store.claim("ana", dataset), "ana"))
    assert store.undo("ana", dataset="charts").dataset == "charts"
    assert store.undo("ana", dataset="charts") is None
    assert store.progress("ana", "maps").labelled == 1
    assert store.undo("ana").dataset == "maps"
